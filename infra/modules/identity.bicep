// The managed identity that the server's registration trusts; it is used by nothing else.

import { Surroundings, Identity } from '../types.bicep'

param surroundings Surroundings

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
}

output identity Identity = {
  id: identity.id
  clientId: identity.properties.clientId
  principalId: identity.properties.principalId
}
