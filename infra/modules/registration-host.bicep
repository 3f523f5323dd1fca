// Entra ID, second step, on the registration of registration.bicep: what takes its app id and the host names.

extension microsoftGraphV1

param uniqueName string
param displayName string
param appId string
@description('Host names under which clients reach the server.')
param hostNames string[]
@description('Whether the server itself, and not App Service Authentication, signs people in.')
param broker bool

resource server 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  // Entra compares a client's `resource`, the server's URL, with the scope up to its last slash (AADSTS9010010).
  identifierUris: concat(
    ['api://${appId}'],
    flatten(map(hostNames, host => ['https://${host}', 'https://${host}/mcp']))
  )
  web: {
    homePageUrl: 'https://${hostNames[0]}/'
    redirectUris: map(
      hostNames,
      host => broker ? 'https://${host}/oauth/entra/callback' : 'https://${host}/.auth/login/aad/callback'
    )
    // The broker gets codes only.
    implicitGrantSettings: { enableIdTokenIssuance: !broker, enableAccessTokenIssuance: false }
  }
}
