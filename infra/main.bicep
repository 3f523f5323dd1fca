// The server and all that it needs. Every option is one parameter, which `azd env set` changes: main.parameters.json.

targetScope = 'subscription'

import { listOf, PlanSku, Registration, Surroundings } from 'types.bicep'

@minLength(1)
@maxLength(40)
@description('Name of the azd environment; part of the names of the resource group and of the registrations.')
param environmentName string

@metadata({ azd: { type: 'location' } })
param location string

@description('Where the registration is made and the tokens come from; see clouds.json.')
param cloudName string = environment().name

// What is served

@description('Toolsets, separated by commas; the default ones when empty.')
param toolsets string = ''
@description('Optional Microsoft Graph permissions that tools may use, separated by commas.')
param extraPermissions string = ''
@description('Whether tools that change data are served, to `writers` only.')
param allowWrites bool = false

// Who may use it

@description('Object ids of users and groups with the app role Mcp.Write, separated by commas.')
param writers string = ''
@description('Whether only users with an app role may sign in.')
param assignmentRequired bool = false
@description('Whether to consent to the Graph permissions for everybody; the deployer must be an administrator.')
param grantAdminConsent bool = false
@description('Client applications to accept beside VS Code and the Azure CLI, separated by commas.')
param allowedClientIds string = ''
@description('Redirect URIs of clients that use the client registration made here, separated by commas.')
param clientRedirectUris string = ''
@description('Service reference of the registrations; some tenants demand one.')
param serviceManagementReference string = ''
@description('Client id of an existing registration, where the deployer may not make one; see docs/operations.md.')
param registrationClientId string = ''
@description('''Whether the server is an authorization server itself, for clients that cannot be registered in Entra ID;
what that costs is in docs/decisions/0009-three-ways-in-and-the-cost-of-the-third.md.''')
param broker bool = false
@description('Where clients of the broker may be called back, in place of the well-known ones; see `ALLOWED_REDIRECTS`.')
param brokerRedirects string = ''
@description('Private hosts whose client metadata documents the broker reads; see `TRUSTED_CLIENT_HOSTS`.')
param brokerClientHosts string = ''
@description('''Whether people see the page at `/` before they sign in. Read docs/operations.md first: App Service does not document
whether it compares excluded paths as a whole or as prefixes; as a prefix, `/` would switch its authentication off everywhere.''')
param publicLandingPage bool = false

// Options

@description('Virtual network with private endpoints; nothing is reachable from the internet but API Management.')
param privateNetwork bool = false
@description('Address ranges (CIDR) from which a private site may be deployed to, separated by commas.')
param deploymentAddresses string = ''
@description('What happens to instructions that Prompt Shields of Azure AI Content Safety find in what tools return.')
param promptShields 'off' | 'annotate' | 'block' = 'off'
@description('Whether Prompt Shields look at what tools are called with, too.')
param promptShieldsArguments bool = false
@description('Azure Managed Redis connects the instances.')
param redis bool = false
@minValue(1)
@maxValue(30)
@description('More than one turns automatic scaling on.')
param maximumInstances int = 1
@description('A slot to try a version in before it is swapped into production.')
param stagingSlot bool = false
@description('App Service plan; the smallest that the options allow when empty.')
param planSku PlanSku | '' = ''
@description('Azure API Management in front.')
param apiManagement bool = false
@description('A domain of your own for the server; its DNS records must exist.')
param customDomain string = ''
@description('Alerts and a workbook.')
param alerts bool = true
@description('Who gets mail from alerts and from API Management.')
param contactEmail string = ''
@description('Microsoft Sentinel.')
param sentinel bool = false

@description('`recover` takes back the key vault that `azd down` left; the preflight hook sets it.')
param keyVaultCreateMode 'default' | 'recover' = 'default'

var problems = filter(
  [
    apiManagement && !empty(customDomain)
      ? 'customDomain is the site\'s, and with apiManagement clients do not call the site: leave one of them out.'
      : ''
    apiManagement && empty(contactEmail) ? 'apiManagement needs contactEmail.' : ''
    apiManagement && broker
      ? 'apiManagement lets tokens of Entra ID through only, and with broker clients have the server\'s own: leave one of them out.'
      : ''
    broker && maximumInstances > 1 && !redis
      ? 'broker needs redis from the second instance on: a sign-in would count on one of them only.'
      : ''
    privateNetwork && !empty(customDomain)
      ? 'App Service renews certificates of public sites only: use customDomain without privateNetwork.'
      : ''
    startsWith(planSku, 'B') && (stagingSlot || maximumInstances > 1)
      ? 'stagingSlot and maximumInstances need a planSku from P0v3 on.'
      : ''
  ],
  problem => !empty(problem)
)

var contentSafety = promptShields != 'off'
var clouds = loadJsonContent('clouds.json')
var cloud = clouds[cloudName]
var firstPartyClients = map(items(loadJsonContent('clients.json')), client => client.value)
var graph = loadJsonContent('graph-permissions.json')
var served = empty(toolsets) ? ['profile', 'people', 'mail', 'calendar', 'files'] : listOf(toolsets)
var effects = allowWrites ? ['read', 'write'] : ['read']
var extras = listOf(extraPermissions)
var permissions = filter(
  graph.permissions,
  permission =>
    !empty(intersection(permission.toolsets, served)) && (contains(effects, permission.effect) || (permission.effect == 'optional' && contains(
      extras,
      permission.name
    )))
)
// A permission may be there for reading and for writing.
var permissionNames = union(map(permissions, permission => permission.name), [])
var permissionIds = union(map(permissions, permission => permission.id), [])
// What the broker asks for at a sign-in beside them: consent for everybody has to cover it too.
var signInPermissions { *: string } = broker
  ? {
      openid: loadJsonContent('graph-delegated-permissions.json', 'openid')
      profile: loadJsonContent('graph-delegated-permissions.json', 'profile')
      offline_access: loadJsonContent('graph-delegated-permissions.json', 'offline_access')
    }
  : {}
var uniqueName = 'azure-graph-mcp-${environmentName}-${subscription().subscriptionId}'
var displayName = 'Azure Graph MCP (${environmentName})'
var brings = !empty(registrationClientId)

var bare Surroundings = {
  location: location
  token: toLower(uniqueString(subscription().id, environmentName, location))
  tags: { 'azd-env-name': environmentName, application: 'azure-graph-mcp' }
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(problems) ? 'rg-${environmentName}' : fail(join(problems, ' '))
  location: location
  tags: bare.tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: { surroundings: bare }
}

module workspace 'modules/workspace.bicep' = {
  scope: group
  params: { surroundings: bare, isPrivate: privateNetwork }
}

var surroundings Surroundings = { ...bare, workspaceId: workspace.outputs.id }

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: { surroundings: surroundings, zoneNames: cloud.zones, contentSafety: contentSafety, redis: redis }
}

module telemetry 'modules/telemetry.bicep' = {
  scope: group
  params: {
    surroundings: surroundings
    identity: identity.outputs.identity
    privateAccess: privateNetwork
      ? { subnetId: network!.outputs.endpointSubnetId, zoneIds: network!.outputs.zoneIds.monitor }
      : null
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    surroundings: surroundings
    identity: identity.outputs.identity
    createMode: keyVaultCreateMode
    privateAccess: privateNetwork
      ? { subnetId: network!.outputs.endpointSubnetId, zoneIds: network!.outputs.zoneIds.vault }
      : null
  }
}

module shields 'modules/content-safety.bicep' = if (contentSafety) {
  scope: group
  params: {
    surroundings: surroundings
    identity: identity.outputs.identity
    privateAccess: privateNetwork
      ? { subnetId: network!.outputs.endpointSubnetId, zoneIds: network!.outputs.zoneIds.contentSafety }
      : null
  }
}

module bus 'modules/redis.bicep' = if (redis) {
  scope: group
  params: {
    surroundings: surroundings
    identity: identity.outputs.identity
    privateAccess: privateNetwork
      ? { subnetId: network!.outputs.endpointSubnetId, zoneIds: network!.outputs.zoneIds.redis }
      : null
  }
}

module site 'modules/site.bicep' = {
  scope: group
  params: {
    surroundings: surroundings
    identity: identity.outputs.identity
    planSku: planSku
    maximumInstances: maximumInstances
    stagingSlot: stagingSlot
    appSubnetId: privateNetwork ? network!.outputs.appSubnetId : null
    deploymentAddresses: listOf(deploymentAddresses)
    privateAccess: privateNetwork
      ? { subnetId: network!.outputs.endpointSubnetId, zoneIds: network!.outputs.zoneIds.site }
      : null
  }
}

module newRegistration 'modules/registration.bicep' = if (!brings) {
  scope: group
  params: {
    uniqueName: uniqueName
    displayName: displayName
    cloud: cloud
    identity: identity.outputs.identity
    permissionNames: union(objectKeys(signInPermissions), permissionNames)
    permissionIds: union(map(items(signInPermissions), permission => permission.value), permissionIds)
    clientIds: union(firstPartyClients, listOf(allowedClientIds))
    clientRedirectUris: listOf(clientRedirectUris)
    writers: listOf(writers)
    assignmentRequired: assignmentRequired
    grantAdminConsent: grantAdminConsent
    serviceManagementReference: serviceManagementReference
  }
}

var registration Registration = brings
  ? {
      appId: registrationClientId
      scope: 'user_impersonation'
      allowedClients: union(firstPartyClients, listOf(allowedClientIds))
    }
  : newRegistration!.outputs.registration

module gateway 'modules/gateway.bicep' = if (apiManagement) {
  scope: group
  params: {
    surroundings: surroundings
    registration: registration
    cloud: cloud
    publisherEmail: contactEmail
    siteHostName: site.outputs.hostName
    subnetId: privateNetwork ? network!.outputs.gatewaySubnetId : null
  }
}

module domain 'modules/custom-domain.bicep' = if (!empty(customDomain)) {
  scope: group
  params: {
    surroundings: surroundings
    siteName: site.outputs.name
    planId: site.outputs.planId
    domain: customDomain
  }
}

var hostName = apiManagement ? gateway!.outputs.hostName : empty(customDomain) ? site.outputs.hostName : customDomain
var siteHosts string[] = stagingSlot ? [site.outputs.hostName, site.outputs.slotHostName] : [site.outputs.hostName]
var hostNames string[] = apiManagement || !empty(customDomain) ? concat([hostName], siteHosts) : siteHosts

module registrationHost 'modules/registration-host.bicep' = if (!brings) {
  scope: group
  params: {
    uniqueName: uniqueName
    displayName: displayName
    appId: registration.appId
    hostNames: hostNames
    broker: broker
  }
}

module siteSettings 'modules/site-settings.bicep' = {
  scope: group
  params: {
    siteName: site.outputs.name
    identity: identity.outputs.identity
    registration: registration
    cloud: cloud
    hostName: hostName
    hostNames: hostNames
    stagingSlot: stagingSlot
    slotHostName: site.outputs.slotHostName
    permissionNames: permissionNames
    behindGateway: apiManagement
    broker: broker
    publicLandingPage: publicLandingPage
    settings: union(
      {
        AZURE_TENANT_ID: tenant().tenantId
        AZURE_CLIENT_ID: identity.outputs.identity.clientId
        TOOLSETS: join(served, ',')
        ALLOW_WRITES: allowWrites ? 'true' : 'false'
        KEY_VAULT_URL: vault.outputs.url
        INSTANCE_COUNT: string(maximumInstances)
        AZURE_AUTHORITY_HOST: cloud.authority
        GRAPH_ENDPOINT: cloud.graph
        TOKEN_EXCHANGE_AUDIENCE: cloud.exchangeAudience
        APPLICATIONINSIGHTS_CONNECTION_STRING: telemetry.outputs.connectionString
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.identity.clientId};Authorization=AAD'
      },
      // Without App Service Authentication nobody else tells the server its client id.
      broker
        ? { AUTH_MODE: 'broker', ENTRA_CLIENT_ID: registration.appId }
        : { ALLOWED_CLIENT_IDS: join(registration.allowedClients, ',') },
      broker && !empty(brokerRedirects) ? { ALLOWED_REDIRECTS: join(listOf(brokerRedirects), ',') } : {},
      broker && !empty(brokerClientHosts) ? { TRUSTED_CLIENT_HOSTS: join(listOf(brokerClientHosts), ',') } : {},
      empty(extras) ? {} : { EXTRA_PERMISSIONS: join(extras, ',') },
      apiManagement ? { ALLOWED_HOSTS: site.outputs.hostName } : {},
      contentSafety ? { CONTENT_SAFETY_ENDPOINT: shields!.outputs.url, PROMPT_SHIELDS: promptShields } : {},
      contentSafety && promptShieldsArguments ? { PROMPT_SHIELDS_ARGUMENTS: 'true' } : {},
      redis ? { REDIS_URL: bus!.outputs.url } : {}
    )
  }
  dependsOn: [domain]
}

module alerting 'modules/alerts.bicep' = if (alerts) {
  scope: group
  params: { surroundings: surroundings, workspaceId: workspace.outputs.id, email: contactEmail }
}

module security 'modules/sentinel.bicep' = if (sentinel) {
  scope: group
  params: { workspaceName: workspace.outputs.name }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output MCP_IDENTITY_PRINCIPAL_ID string = identity.outputs.identity.principalId
output SERVICE_MCP_NAME string = site.outputs.name
output SERVICE_MCP_DEFAULT_HOSTNAME string = site.outputs.hostName
output MCP_SERVER_URL string = 'https://${hostName}/mcp'
output MCP_CLIENT_ID string = brings || broker ? '' : newRegistration!.outputs.clientAppId
output MCP_DOMAIN_VERIFICATION_ID string = site.outputs.verificationId
output SERVICE_MCP_PLAN_SKU string = site.outputs.planSku
output ENTRA_CLIENT_ID string = registration.appId
output ENTRA_AUTHORITY string = cloud.authority
