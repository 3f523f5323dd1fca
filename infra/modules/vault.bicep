// Key Vault and the secret that seals sessions, approvals and cursors.

import { Surroundings, Identity, PrivateAccess } from '../types.bicep'

param surroundings Surroundings
param identity Identity
param privateAccess PrivateAccess?

@description('`recover` takes back the vault of this name that `azd down` left in the bin.')
param createMode 'default' | 'recover'

@secure()
@description('Counts in the first deployment only.')
param signingKey string = '${newGuid()}${newGuid()}'

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: 'kv-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    createMode: createMode
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: privateAccess == null ? 'Enabled' : 'Disabled'
    networkAcls: { defaultAction: privateAccess == null ? 'Allow' : 'Deny', bypass: 'None' }
  }

  // A second deployment must not end every session: whoever wants a new version makes one.
  @onlyIfNotExists()
  resource stateSigningKey 'secrets' = {
    name: 'state-signing-key'
    tags: surroundings.tags
    properties: { value: signingKey, contentType: 'text/plain' }
  }
}

resource readSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, secretsUser)
  properties: {
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
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
    service: 'vault'
    serviceId: vault.id
    groupId: 'vault'
    access: privateAccess!
  }
}

output name string = vault.name
output url string = vault.properties.vaultUri
