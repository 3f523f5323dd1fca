// API Management in front of the site: validates tokens, limits rates, and has the URL that clients know.

import { Surroundings, Registration, Cloud } from '../types.bicep'

param surroundings Surroundings
param registration Registration
param cloud Cloud
param publisherEmail string
param siteHostName string
@description('Subnet through which it reaches a private site.')
param subnetId string?

var name = 'apim-${surroundings.token}'
var hostName = replace(service.properties.gatewayUrl, 'https://', '')
var mcpUrl = 'https://${hostName}/mcp'

var values = {
  tenantId: tenant().tenantId
  appId: registration.appId
  scope: registration.scope
  hostName: hostName
  metadata: string({
    resource: mcpUrl
    authorization_servers: ['${cloud.authority}/${tenant().tenantId}/v2.0']
    scopes_supported: ['${mcpUrl}/${registration.scope}']
    bearer_methods_supported: ['header']
  })
}

@description('Puts values into a policy, where their names stand in braces.')
func filled(policy string, values { *: string }) string =>
  reduce(items(values), policy, (text, value) => replace(string(text), '{${value.key}}', value.value))

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: name
  location: surroundings.location
  tags: surroundings.tags
  // The smallest tier that speaks into a virtual network is the next one.
  sku: { name: subnetId == null ? 'BasicV2' : 'StandardV2', capacity: 1 }
  properties: {
    publisherEmail: publisherEmail
    publisherName: 'azure-graph-mcp'
    virtualNetworkType: subnetId == null ? 'None' : 'External'
    virtualNetworkConfiguration: subnetId == null ? null : { subnetResourceId: subnetId }
    developerPortalStatus: 'Disabled'
  }
}

resource mcp 'Microsoft.ApiManagement/service/apis@2025-09-01-preview' = {
  parent: service
  name: 'mcp'
  properties: {
    displayName: 'MCP server'
    type: 'mcp'
    path: 'mcp'
    protocols: ['https']
    serviceUrl: 'https://${siteHostName}/mcp'
    subscriptionRequired: false
  }

  resource policy 'policies' = {
    name: 'policy'
    properties: { format: 'xml', value: filled(loadTextContent('../policies/mcp.xml'), values) }
  }
}

// Pages for browsers: sign-in, consent, and where clients learn how to sign in.
resource pages 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'pages'
  properties: {
    displayName: 'Pages'
    path: ''
    protocols: ['https']
    serviceUrl: 'https://${siteHostName}'
    subscriptionRequired: false
  }

  resource policy 'policies' = {
    name: 'policy'
    properties: { format: 'xml', value: filled(loadTextContent('../policies/pages.xml'), values) }
  }

  resource get 'operations' = {
    name: 'get'
    properties: { displayName: 'Pages', method: 'GET', urlTemplate: '/*' }
  }

  resource signIn 'operations' = {
    name: 'sign-in'
    properties: { displayName: 'Sign-in', method: 'POST', urlTemplate: '/.auth/*' }
  }

  resource metadata 'operations' = {
    name: 'protected-resource-metadata'
    properties: {
      displayName: 'Protected resource metadata (RFC 9728)'
      method: 'GET'
      urlTemplate: '/.well-known/oauth-protected-resource/mcp'
    }
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: service
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output hostName string = hostName
