using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param privateNetwork = true
param deploymentAddresses = '203.0.113.0/24, 198.51.100.7/32'
