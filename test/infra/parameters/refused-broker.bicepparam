using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param broker = true
param apiManagement = true
param contactEmail = 'operators@contoso.com'
param maximumInstances = 2
