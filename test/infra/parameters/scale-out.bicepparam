using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param redis = true
param maximumInstances = 3
