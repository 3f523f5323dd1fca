// Azure AI Content Safety: its Prompt Shields look at what tools return.

import { Surroundings, Identity, PrivateAccess } from '../types.bicep'

param surroundings Surroundings
param identity Identity
param privateAccess PrivateAccess?

var cognitiveServicesUser = 'a97b65f3-24c7-4388-baec-2e87135dc908'

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  name: 'cs-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  kind: 'ContentSafety'
  sku: { name: 'S0' }
  properties: {
    // Entra tokens are taken under a name of its own only.
    customSubDomainName: 'cs-${surroundings.token}'
    disableLocalAuth: true
    publicNetworkAccess: privateAccess == null ? 'Enabled' : 'Disabled'
    networkAcls: { defaultAction: privateAccess == null ? 'Allow' : 'Deny' }
    restrictOutboundNetworkAccess: true
  }
}

resource useShields 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identity.id, cognitiveServicesUser)
  properties: {
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cognitiveServicesUser)
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

module endpoint 'private-endpoint.bicep' = if (privateAccess != null) {
  params: {
    surroundings: surroundings
    service: 'content-safety'
    serviceId: account.id
    groupId: 'account'
    access: privateAccess!
  }
}

output url string = account.properties.endpoint
