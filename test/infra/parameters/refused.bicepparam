using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param apiManagement = true
param customDomain = 'mcp.contoso.com'
param planSku = 'B1'
param stagingSlot = true
