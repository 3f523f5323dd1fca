// Log Analytics, which takes the diagnostics of every resource.

import { Surroundings } from '../types.bicep'

param surroundings Surroundings
@description('Whether it takes data from the virtual network only. What people look at in the portal stays reachable.')
param isPrivate bool

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 90
    features: { disableLocalAuth: true, enableLogAccessUsingOnlyResourcePermissions: true }
    publicNetworkAccessForIngestion: isPrivate ? 'Disabled' : 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource workspaceDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: workspace
  name: 'log-analytics'
  properties: {
    workspaceId: workspace.id
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output id string = workspace.id
output name string = workspace.name
