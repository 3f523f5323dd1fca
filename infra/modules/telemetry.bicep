// Application Insights without keys, and the network's way to Azure Monitor.

import { Surroundings, Identity, PrivateAccess } from '../types.bicep'

param surroundings Surroundings
param identity Identity
param privateAccess PrivateAccess?

var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: surroundings.?workspaceId
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
    publicNetworkAccessForIngestion: privateAccess == null ? 'Enabled' : 'Disabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource publishTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, identity.id, metricsPublisher)
  properties: {
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
  }
}

resource privateLinkScope 'Microsoft.Insights/privateLinkScopes@2021-07-01-preview' = if (privateAccess != null) {
  name: 'ampls-${surroundings.token}'
  location: 'global'
  tags: surroundings.tags
  properties: { accessModeSettings: { ingestionAccessMode: 'PrivateOnly', queryAccessMode: 'Open' } }

  resource linkedWorkspace 'scopedResources' = {
    name: 'workspace'
    properties: { linkedResourceId: surroundings.?workspaceId }
  }

  resource linkedInsights 'scopedResources' = {
    name: 'insights'
    properties: { linkedResourceId: insights.id }
  }
}

module endpoint 'private-endpoint.bicep' = if (privateAccess != null) {
  params: {
    surroundings: surroundings
    service: 'monitor'
    serviceId: privateLinkScope.id
    groupId: 'azuremonitor'
    access: privateAccess!
  }
  dependsOn: [privateLinkScope::linkedWorkspace, privateLinkScope::linkedInsights]
}

output connectionString string = insights.properties.ConnectionString
