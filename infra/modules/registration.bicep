// Entra ID, first step: all of the registrations that depends neither on a host name nor on the server's own app id.
// Identifier URIs come with registration-host.bicep: version 2 tokens must be in place before (Entra refuses
// `https://` URIs of unverified domains otherwise). What a step leaves out stays as it is, so each writes whole blocks.

extension microsoftGraphV1

import { Identity, Registration, Cloud } from '../types.bicep'

param uniqueName string
param displayName string
param cloud Cloud
param identity Identity
@description('Delegated permissions of Microsoft Graph that the server may use on behalf of its users.')
param permissionNames string[]
@description('Their ids.')
param permissionIds string[]
@description('Client applications to accept beside the registration made here.')
param clientIds string[]
@description('Redirect URIs of clients, beside those of VS Code and of programs on the same machine.')
param clientRedirectUris string[]
@description('Object ids of users and groups that may use tools that change data.')
param writers string[]
@description('Whether only users with an assignment may sign in.')
param assignmentRequired bool
@description('Whether to consent to them for everybody; takes an administrator.')
param grantAdminConsent bool
@description('Demanded by some tenants.')
param serviceManagementReference string

var scope = 'user_impersonation'
var scopeId = guid(uniqueName, 'scope', scope)
var writeRoleId = guid(uniqueName, 'role', 'Mcp.Write')
var readRoleId = guid(uniqueName, 'role', 'Mcp.Read')
var graphAppId = '00000003-0000-0000-c000-000000000000'
var allowedClients = union(clientIds, [client.appId])
var reference = empty(serviceManagementReference) ? null : serviceManagementReference

// A registration that asks for tokens for itself fails at the first refresh (AADSTS90009): clients have their own.
resource client 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${uniqueName}-client'
  displayName: '${displayName} (clients)'
  signInAudience: 'AzureADMyOrg'
  serviceManagementReference: reference
  isFallbackPublicClient: true
  publicClient: {
    redirectUris: union(
      [
        // Entra ignores the port of loopback addresses, and nothing else of them.
        'http://127.0.0.1'
        'http://127.0.0.1/callback'
        'http://127.0.0.1/oauth/callback'
        'http://127.0.0.1/mcp/oauth/callback'
        'http://localhost'
        'http://localhost/callback'
        'http://localhost/oauth/callback'
        'https://vscode.dev/redirect'
        'https://insiders.vscode.dev/redirect'
      ],
      clientRedirectUris
    )
  }
}

resource clientPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: client.appId
}

resource server 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  signInAudience: 'AzureADMyOrg'
  serviceManagementReference: reference
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      {
        id: scopeId
        value: scope
        type: 'User'
        isEnabled: true
        userConsentDisplayName: 'Use Microsoft 365 tools on your behalf'
        userConsentDescription: 'Lets an application use the tools of ${displayName} as you.'
        adminConsentDisplayName: 'Use Microsoft 365 tools on behalf of users'
        adminConsentDescription: 'Lets applications use the tools of ${displayName} as the signed-in user.'
      }
    ]
    preAuthorizedApplications: map(allowedClients, appId => { appId: appId, delegatedPermissionIds: [scopeId] })
  }
  appRoles: [
    {
      id: readRoleId
      value: 'Mcp.Read'
      displayName: 'Reader'
      description: 'Uses the tools that read; an assignment for tenants that demand one.'
      allowedMemberTypes: ['User']
      isEnabled: true
    }
    {
      id: writeRoleId
      value: 'Mcp.Write'
      displayName: 'Writer'
      description: 'Uses the tools that change data too.'
      allowedMemberTypes: ['User']
      isEnabled: true
    }
  ]
  requiredResourceAccess: [
    {
      resourceAppId: graphAppId
      resourceAccess: [for id in permissionIds: { id: id, type: 'Scope' }]
    }
  ]
}

resource serverPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: server.appId
  appRoleAssignmentRequired: assignmentRequired
}

// The managed identity is the server's only credential.
resource credential 'Microsoft.Graph/applications/federatedIdentityCredentials@v1.0' = {
  name: '${server.uniqueName}/app-service'
  description: 'Managed identity of the App Service'
  audiences: [cloud.exchangeAudience]
  issuer: '${cloud.authority}/${tenant().tenantId}/v2.0'
  subject: identity.principalId
}

resource writerAssignments 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for principalId in writers: {
    appRoleId: writeRoleId
    principalId: principalId
    resourceId: serverPrincipal.id
  }
]

resource graph 'Microsoft.Graph/servicePrincipals@v1.0' existing = if (grantAdminConsent) {
  appId: graphAppId
}

resource adminConsent 'Microsoft.Graph/oauth2PermissionGrants@v1.0' = if (grantAdminConsent) {
  clientId: serverPrincipal.id
  consentType: 'AllPrincipals'
  resourceId: graph.id
  scope: join(permissionNames, ' ')
}

output registration Registration = { appId: server.appId, scope: scope, allowedClients: allowedClients }
output clientAppId string = client.appId
