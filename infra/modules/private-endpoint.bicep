// One service's address inside the virtual network, and its names there.

import { Surroundings, PrivateAccess } from '../types.bicep'

param surroundings Surroundings
@description('Short name of the service.')
param service string
param serviceId string
@description('Part of the service that is meant, as Private Link names it.')
param groupId string
param access PrivateAccess

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: 'pep-${service}-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: {
    subnet: { id: access.subnetId }
    customNetworkInterfaceName: 'nic-${service}-${surroundings.token}'
    privateLinkServiceConnections: [
      {
        name: service
        properties: { privateLinkServiceId: serviceId, groupIds: [groupId] }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        for (zoneId, index) in access.zoneIds: {
          name: 'zone-${index}'
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}
