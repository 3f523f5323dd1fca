using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param allowWrites = true
param writers = '33333333-3333-3333-3333-333333333333'
param toolsets = 'profile,people,mail'
param extraPermissions = 'User.Read.All'
param grantAdminConsent = true
param assignmentRequired = true
param allowedClientIds = '7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40'
param clientRedirectUris = 'https://claude.ai/api/mcp/auth_callback'
param serviceManagementReference = 'contoso-4711'
