// Azure Managed Redis: carries messages between instances; the managed identity is its only user.

import { Surroundings, Identity, PrivateAccess } from '../types.bicep'

param surroundings Surroundings
param identity Identity
param privateAccess PrivateAccess?

var port = 10000

resource cluster 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: 'redis-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  sku: { name: 'Balanced_B0' }
  properties: {
    highAvailability: 'Enabled'
    minimumTlsVersion: '1.2'
    publicNetworkAccess: privateAccess == null ? 'Enabled' : 'Disabled'
  }

  resource database 'databases' = {
    name: 'default'
    properties: {
      port: port
      clientProtocol: 'Encrypted'
      accessKeysAuthentication: 'Disabled'
      // The client knows one address, not a cluster's map.
      clusteringPolicy: 'EnterpriseCluster'
      // A forgotten claim would let an approval count twice.
      evictionPolicy: 'NoEviction'
    }

    resource server 'accessPolicyAssignments' = {
      name: 'server'
      properties: { accessPolicyName: 'default', user: { objectId: identity.principalId } }
    }
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: cluster
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource databaseDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: cluster::database
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

module endpoint 'private-endpoint.bicep' = if (privateAccess != null) {
  params: {
    surroundings: surroundings
    service: 'redis'
    serviceId: cluster.id
    groupId: 'redisEnterprise'
    access: privateAccess!
  }
}

output url string = 'rediss://${cluster.properties.hostName}:${port}'
