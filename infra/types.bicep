// Types and functions that several modules share.

@export()
@description('Where a resource goes and what all resources have in common.')
type Surroundings = {
  location: string
  @description('Makes names unique; the same in every deployment of an environment.')
  token: string
  tags: { *: string }
  @description('Log Analytics workspace that takes the diagnostics.')
  workspaceId: string?
}

@export()
@description('A user-assigned managed identity.')
type Identity = {
  id: string
  clientId: string
  @description('Object id of its service principal.')
  principalId: string
}

@export()
@description('The server as Entra ID knows it.')
type Registration = {
  @description('Application (client) id.')
  appId: string
  @description('Short name of the scope that every token needs.')
  scope: string
  @description('Client applications whose tokens are accepted.')
  allowedClients: string[]
}

@export()
@description('What differs between the public and the national clouds; see clouds.json.')
type Cloud = {
  authority: string
  graph: string
  @description('Audience of federated credentials.')
  exchangeAudience: string
}

@export()
@description('How a service is reached from inside the virtual network, and no longer from outside.')
type PrivateAccess = {
  subnetId: string
  zoneIds: string[]
}

@export()
type PlanSku = 'B1' | 'B2' | 'B3' | 'P0v3' | 'P1v3' | 'P2v3' | 'P3v3'

@export()
@description('Splits a list that an environment variable of azd holds.')
func listOf(text string) string[] => filter(map(split(text, ','), part => trim(part)), part => !empty(part))
