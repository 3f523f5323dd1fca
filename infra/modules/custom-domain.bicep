// A domain of one's own, with a certificate that App Service renews. Its DNS records come first; see docs/operations.md.

import { Surroundings } from '../types.bicep'

param surroundings Surroundings
param siteName string
param planId string
param domain string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: siteName

  // Later deployments would take the certificate away for a moment.
  @onlyIfNotExists()
  resource binding 'hostNameBindings' = {
    name: domain
    properties: { siteName: siteName, hostNameType: 'Verified', sslState: 'Disabled' }
  }
}

resource certificate 'Microsoft.Web/certificates@2025-03-01' = {
  name: 'cert-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  properties: { serverFarmId: planId, canonicalName: domain }
  dependsOn: [site::binding]
}

module tls 'custom-domain-tls.bicep' = {
  params: { siteName: siteName, domain: domain, thumbprint: certificate.properties.thumbprint }
}

// After the certificate is bound, so that nobody is sent there before.
output domain string = tls.outputs.domain
