using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param broker = true
param redis = true
param maximumInstances = 3
param stagingSlot = true
