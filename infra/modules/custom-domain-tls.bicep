// Binds the certificate of custom-domain.bicep: one template cannot declare the same binding twice.

param siteName string
param domain string
param thumbprint string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: siteName

  resource binding 'hostNameBindings' = {
    name: domain
    properties: { siteName: siteName, hostNameType: 'Verified', sslState: 'SniEnabled', thumbprint: thumbprint }
  }
}

output domain string = domain
