// App settings and App Service Authentication of the site and of its staging slot.

import { Registration, Identity, Cloud } from '../types.bicep'

param siteName string
param identity Identity
param registration Registration
param cloud Cloud
@description('Host name under which clients reach the server.')
param hostName string
@description('All host names whose identifier URIs tokens may name.')
param hostNames string[]
param stagingSlot bool
param slotHostName string
@description('Names of the Microsoft Graph permissions that a sign-in in the browser consents to.')
param permissionNames string[]
@description('App settings that do not depend on the host name.')
param settings { *: string }
@description('Whether a gateway in front names the host that clients see in X-Forwarded-Host.')
param behindGateway bool
@description('Whether the server signs people in itself.')
param broker bool
@description('Whether `/` is open to people who are not signed in.')
param publicLandingPage bool

var issuer = '${cloud.authority}/${tenant().tenantId}/v2.0'
var assertionSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'

var platformSettings = {
  // The package is complete: nothing is built or written on the server.
  SCM_DO_BUILD_DURING_DEPLOYMENT: 'false'
  WEBSITE_RUN_FROM_PACKAGE: '1'
  // Running calls get DRAIN_TIMEOUT_SECONDS; the platform's own limit is 5.
  WEBSITES_CONTAINER_STOP_TIME_LIMIT: '30'
  NODE_ENV: 'production'
}

var authenticationSettings = broker
  ? {}
  : {
      // In place of a client secret: the identity whose tokens App Service presents.
      '${assertionSetting}': identity.clientId
      WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
    }

// The broker publishes its own metadata, which App Service's would hide.
func hostSettings(hostName string, scope string, broker bool) { *: string } =>
  union(
    { MCP_SERVER_URL: 'https://${hostName}/mcp' },
    broker ? {} : { WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES: 'https://${hostName}/mcp/${scope}' }
  )

var authentication = {
  // Off with the broker. Its clients bring its own tokens to `/mcp`, which are not Entra's: App Service would answer 401,
  // and an excluded path is only documented to let through what carries no token. Its pages have ids in their paths,
  // which only prefixes could exclude. Nothing would be left to guard: the server answers 404 to every other path.
  platform: { enabled: !broker, runtimeVersion: '~1' }
  globalValidation: {
    requireAuthentication: true
    unauthenticatedClientAction: 'Return401'
    redirectToProvider: 'azureactivedirectory'
    excludedPaths: publicLandingPage ? ['/', '/healthz', '/readyz'] : ['/healthz', '/readyz']
  }
  httpSettings: {
    requireHttps: true
    routes: { apiPrefix: '/.auth' }
    forwardProxy: { convention: behindGateway ? 'Standard' : 'NoProxy' }
  }
  identityProviders: {
    azureActiveDirectory: {
      enabled: true
      isAutoProvisioned: false
      registration: {
        openIdIssuer: issuer
        clientId: registration.appId
        clientSecretSettingName: assertionSetting
      }
      login: {
        // Asking for Graph's scopes at this sign-in is how a person consents to what the tools use.
        loginParameters: [
          'scope=openid profile email ${join(map(permissionNames, name => '${cloud.graph}/${name}'), ' ')}'
        ]
      }
      validation: {
        allowedAudiences: concat(
          [registration.appId, 'api://${registration.appId}'],
          flatten(map(hostNames, host => ['https://${host}', 'https://${host}/mcp']))
        )
        defaultAuthorizationPolicy: {
          // The site's own client id is what a browser's sign-in comes with.
          allowedApplications: concat([registration.appId], registration.allowedClients)
        }
      }
    }
    // Providers that are left out count as on.
    apple: { enabled: false }
    azureStaticWebApps: { enabled: false }
    facebook: { enabled: false }
    gitHub: { enabled: false }
    google: { enabled: false }
    legacyMicrosoftAccount: { enabled: false }
    twitter: { enabled: false }
  }
  login: {
    tokenStore: { enabled: false }
    preserveUrlFragmentsForLogins: false
    allowedExternalRedirectUrls: []
    cookieExpiration: { convention: 'FixedTime', timeToExpiration: '08:00:00' }
    nonce: { validateNonce: true, nonceExpirationInterval: '00:05:00' }
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: siteName

  resource slot 'slots' existing = if (stagingSlot) {
    name: 'staging'
  }
}

resource stickySettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'slotConfigNames'
  properties: {
    appSettingNames: [
      assertionSetting
      'ALLOWED_HOSTS'
      'MCP_SERVER_URL'
      'WEBSITE_AUTH_AAD_ALLOWED_TENANTS'
      'WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES'
    ]
  }
}

// Authentication first: without AUTH_MODE=broker the server refuses to start where it is off.
resource siteAuthentication 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: authentication
}

resource siteSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: union(
    settings,
    platformSettings,
    authenticationSettings,
    hostSettings(hostName, registration.scope, broker)
  )
  dependsOn: [siteAuthentication, stickySettings]
}

resource siteLogs 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'logs'
  properties: {
    httpLogs: { fileSystem: { enabled: true, retentionInDays: 3, retentionInMb: 35 } }
    detailedErrorMessages: { enabled: false }
    failedRequestsTracing: { enabled: false }
  }
}

resource slotAuthentication 'Microsoft.Web/sites/slots/config@2025-03-01' = if (stagingSlot) {
  parent: site::slot
  name: 'authsettingsV2'
  properties: authentication
}

resource slotSettings 'Microsoft.Web/sites/slots/config@2025-03-01' = if (stagingSlot) {
  parent: site::slot
  name: 'appsettings'
  properties: union(
    settings,
    platformSettings,
    authenticationSettings,
    hostSettings(slotHostName, registration.scope, broker)
  )
  dependsOn: [slotAuthentication, stickySettings]
}
