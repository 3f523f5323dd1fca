using '../../../infra/main.bicep'

param environmentName = 'contoso'
param location = 'westeurope'
param cloudName = 'AzureCloud'

param broker = true
param brokerRedirects = 'https://vscode.dev, https://mcp.contoso.com'
param brokerClientHosts = 'clients.contoso.internal'
