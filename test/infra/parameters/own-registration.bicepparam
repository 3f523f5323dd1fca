using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param registrationClientId = '0c1d2e3f-0000-4000-8000-00000000c1d2'
param allowedClientIds = '7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40'
