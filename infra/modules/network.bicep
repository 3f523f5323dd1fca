// Virtual network: one subnet that the site speaks from, one with the private endpoints, one for
// API Management, which the option may bring later.

import { Surroundings } from '../types.bicep'

param surroundings Surroundings
@description('Private DNS zones by service; monitor has several.')
param zoneNames { site: string, vault: string, contentSafety: string, redis: string, monitor: string[] }
param contentSafety bool
param redis bool

var addresses = '10.0.0.0/16'
var endpoints = cidrSubnet(addresses, 24, 1)
var app = cidrSubnet(addresses, 24, 2)
var gateway = cidrSubnet(addresses, 24, 3)

var optionalZones = [contentSafety ? zoneNames.contentSafety : '', redis ? zoneNames.redis : '']
var zones = concat([zoneNames.site, zoneNames.vault], filter(optionalZones, name => !empty(name)), zoneNames.monitor)

var denyRest = [
  {
    name: 'DenyAllInbound'
    properties: {
      priority: 4096
      direction: 'Inbound'
      access: 'Deny'
      protocol: '*'
      sourceAddressPrefix: '*'
      sourcePortRange: '*'
      destinationAddressPrefix: '*'
      destinationPortRange: '*'
    }
  }
  {
    name: 'DenyAllOutbound'
    properties: {
      priority: 4096
      direction: 'Outbound'
      access: 'Deny'
      protocol: '*'
      sourceAddressPrefix: '*'
      sourcePortRange: '*'
      destinationAddressPrefix: '*'
      destinationPortRange: '*'
    }
  }
]

var allowHttpsOutbound = {
  // Microsoft Graph, Entra ID and the hosts that files are downloaded from: no service tag covers them all.
  name: 'AllowHttpsOutbound'
  properties: {
    priority: 110
    direction: 'Outbound'
    access: 'Allow'
    protocol: 'Tcp'
    sourceAddressPrefix: '*'
    sourcePortRange: '*'
    destinationAddressPrefix: 'Internet'
    destinationPortRange: '443'
  }
}

resource endpointRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-endpoints-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    securityRules: concat(
      [
        {
          name: 'AllowHttpsFromNetwork'
          properties: {
            priority: 100
            direction: 'Inbound'
            access: 'Allow'
            protocol: 'Tcp'
            sourceAddressPrefix: 'VirtualNetwork'
            sourcePortRange: '*'
            destinationAddressPrefix: endpoints
            destinationPortRange: '443'
          }
        }
        {
          name: 'AllowRedisFromApp'
          properties: {
            priority: 110
            direction: 'Inbound'
            access: 'Allow'
            protocol: 'Tcp'
            sourceAddressPrefix: app
            sourcePortRange: '*'
            destinationAddressPrefix: endpoints
            destinationPortRange: '10000'
          }
        }
      ],
      denyRest
    )
  }
}

resource appRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-app-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    securityRules: concat(
      [
        {
          name: 'AllowEndpointsOutbound'
          properties: {
            priority: 100
            direction: 'Outbound'
            access: 'Allow'
            protocol: 'Tcp'
            sourceAddressPrefix: '*'
            sourcePortRange: '*'
            destinationAddressPrefix: endpoints
            destinationPortRanges: ['443', '10000']
          }
        }
        allowHttpsOutbound
      ],
      denyRest
    )
  }
}

resource gatewayRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-gateway-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    securityRules: concat(
      [
        {
          name: 'AllowEndpointsOutbound'
          properties: {
            priority: 100
            direction: 'Outbound'
            access: 'Allow'
            protocol: 'Tcp'
            sourceAddressPrefix: '*'
            sourcePortRange: '*'
            destinationAddressPrefix: endpoints
            destinationPortRange: '443'
          }
        }
        allowHttpsOutbound
      ],
      denyRest
    )
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    addressSpace: { addressPrefixes: [addresses] }
    // Subnets as separate resources would be removed and added again by every deployment.
    subnets: [
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpoints
          defaultOutboundAccess: false
          networkSecurityGroup: { id: endpointRules.id }
          // Rules do not hold for private endpoints unless this is said.
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
      {
        name: 'app'
        properties: {
          addressPrefix: app
          networkSecurityGroup: { id: appRules.id }
          delegations: [{ name: 'app-service', properties: { serviceName: 'Microsoft.Web/serverFarms' } }]
        }
      }
      {
        name: 'gateway'
        properties: {
          addressPrefix: gateway
          networkSecurityGroup: { id: gatewayRules.id }
          delegations: [{ name: 'api-management', properties: { serviceName: 'Microsoft.Web/serverFarms' } }]
        }
      }
    ]
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for name in zones: {
    name: name
    location: 'global'
    tags: surroundings.tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (name, index) in zones: {
    parent: zone[index]
    name: 'vnet-${surroundings.token}'
    location: 'global'
    tags: surroundings.tags
    properties: { virtualNetwork: { id: network.id }, registrationEnabled: false }
  }
]

resource networkDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: network
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource endpointRulesDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: endpointRules
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

resource appRulesDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: appRules
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

resource gatewayRulesDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: gatewayRules
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

output endpointSubnetId string = '${network.id}/subnets/endpoints'
output appSubnetId string = '${network.id}/subnets/app'
output gatewaySubnetId string = '${network.id}/subnets/gateway'
output zoneIds { site: string[], vault: string[], contentSafety: string[], redis: string[], monitor: string[] } = {
  site: [resourceId('Microsoft.Network/privateDnsZones', zoneNames.site)]
  vault: [resourceId('Microsoft.Network/privateDnsZones', zoneNames.vault)]
  contentSafety: [resourceId('Microsoft.Network/privateDnsZones', zoneNames.contentSafety)]
  redis: [resourceId('Microsoft.Network/privateDnsZones', zoneNames.redis)]
  monitor: map(zoneNames.monitor, name => resourceId('Microsoft.Network/privateDnsZones', name))
}
