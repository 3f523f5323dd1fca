using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param privateNetwork = true
param promptShields = 'block'
param promptShieldsArguments = true
param redis = true
param maximumInstances = 5
param stagingSlot = true
param apiManagement = true
param alerts = true
param contactEmail = 'operators@contoso.com'
param sentinel = true
param allowWrites = true
param writers = '33333333-3333-3333-3333-333333333333'
