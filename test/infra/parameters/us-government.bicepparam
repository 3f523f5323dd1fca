using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'usgovvirginia'
param cloudName = 'AzureUSGovernment'

param privateNetwork = true
