// App Service plan, site and staging slot, without their settings.

import { Surroundings, Identity, PrivateAccess, PlanSku } from '../types.bicep'

param surroundings Surroundings
param identity Identity
@description('The smallest that the rest allows when empty.')
param planSku PlanSku | ''
@minValue(1)
@description('More than one turns automatic scaling on.')
param maximumInstances int
param stagingSlot bool
param privateAccess PrivateAccess?
@description('Subnet that the site speaks from.')
param appSubnetId string?
@description('Address ranges from which a private site may still be deployed to.')
param deploymentAddresses string[]

var scales = maximumInstances > 1
var sku = !empty(planSku) ? planSku : scales || stagingSlot ? 'P0v3' : 'B1'
var closed = privateAccess != null
var isDeployable = closed && !empty(deploymentAddresses)
var kind = 'app,linux'

var siteProperties = {
  serverFarmId: plan.id
  httpsOnly: true
  clientAffinityEnabled: false
  endToEndEncryptionEnabled: true
  sshEnabled: false
  keyVaultReferenceIdentity: identity.id
  // The deployment endpoint is part of the site: for it, the site stays public and everything else is denied.
  publicNetworkAccess: closed && !isDeployable ? 'Disabled' : 'Enabled'
  virtualNetworkSubnetId: appSubnetId
  outboundVnetRouting: closed ? { allTraffic: true } : null
  siteConfig: {
    linuxFxVersion: 'NODE|24-lts'
    // Not npm: it would not hand on SIGTERM.
    appCommandLine: 'node dist/main.js'
    alwaysOn: true
    http20Enabled: true
    minTlsVersion: '1.2'
    scmMinTlsVersion: '1.2'
    ftpsState: 'Disabled'
    remoteDebuggingEnabled: false
    webSocketsEnabled: false
    use32BitWorkerProcess: false
    healthCheckPath: '/healthz'
    ipSecurityRestrictionsDefaultAction: closed ? 'Deny' : 'Allow'
    scmIpSecurityRestrictionsUseMain: false
    scmIpSecurityRestrictionsDefaultAction: closed ? 'Deny' : 'Allow'
    scmIpSecurityRestrictions: map(
      range(0, closed ? length(deploymentAddresses) : 0),
      index => {
        name: 'deployment-${index}'
        priority: 100 + index
        action: 'Allow'
        ipAddress: deploymentAddresses[index]
      }
    )
    minimumElasticInstanceCount: scales ? 1 : null
    preWarmedInstanceCount: scales ? 1 : null
    elasticWebAppScaleLimit: scales ? maximumInstances : null
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'asp-${surroundings.token}'
  location: surroundings.location
  tags: surroundings.tags
  kind: 'linux'
  sku: { name: sku, capacity: 1 }
  properties: {
    reserved: true
    elasticScaleEnabled: scales
    maximumElasticWorkerCount: scales ? maximumInstances : 1
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: 'app-mcp-${surroundings.token}'
  location: surroundings.location
  tags: union(surroundings.tags, { 'azd-service-name': 'mcp' })
  kind: kind
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: siteProperties

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource slot 'Microsoft.Web/sites/slots@2025-03-01' = if (stagingSlot) {
  parent: site
  name: 'staging'
  location: surroundings.location
  tags: surroundings.tags
  kind: kind
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: siteProperties

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource planDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: plan
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource siteDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: site
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource slotDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (stagingSlot) {
  scope: slot
  name: 'log-analytics'
  properties: {
    workspaceId: surroundings.?workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

module endpoint 'private-endpoint.bicep' = if (privateAccess != null) {
  params: {
    surroundings: surroundings
    service: 'site'
    serviceId: site.id
    groupId: 'sites'
    access: privateAccess!
  }
}

module slotEndpoint 'private-endpoint.bicep' = if (privateAccess != null && stagingSlot) {
  params: {
    surroundings: surroundings
    service: 'site-staging'
    serviceId: site.id
    groupId: 'sites-staging'
    access: privateAccess!
  }
  dependsOn: [slot]
}

output name string = site.name
output planId string = plan.id
output planSku string = sku
output hostName string = site.properties.defaultHostName
output slotHostName string = slot.?properties.defaultHostName ?? ''
@description('What the TXT record `asuid.<domain>` of a custom domain has to say.')
output verificationId string = site.properties.customDomainVerificationId!
