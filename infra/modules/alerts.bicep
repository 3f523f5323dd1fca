// Alerts on what the server's log says, and a workbook to look at it.

import { Surroundings } from '../types.bicep'

param surroundings Surroundings
param workspaceId string
@description('Who gets mail; nobody when empty.')
param email string

// Standard output of the site and its slot, one JSON object per line; see docs/security.md.
var lines = 'AppServiceConsoleLogs | extend line = parse_json(ResultDescription)'
var audit = '${lines} | where line.msg == "audit"'

var rules = [
  {
    name: 'denials'
    displayName: 'Many refused requests'
    description: 'Far more refusals than people cause by mistake: a scan, or a client that lost its access.'
    severity: 2
    threshold: 100
    query: '${audit} | where line.decision == "denied" and line.reason != "missing_token"'
  }
  {
    name: 'injections'
    displayName: 'Text that tries to instruct the model'
    description: 'Prompt Shields found instructions in mail, files or events.'
    severity: 2
    threshold: 10
    query: '${audit} | where line.audit == "content_check" and line.reason == "attack"'
  }
  {
    name: 'token-exchange'
    displayName: 'Tokens for Microsoft Graph are refused'
    description: 'Users miss a consent, have to take a further step of sign-in, or the federated credential is wrong.'
    severity: 1
    threshold: 20
    query: '${lines} | where (line.msg == "audit" and line.reason in ("consent_required", "interaction_required", "misconfigured")) or line.msg startswith "Entra ID does not accept"'
  }
  {
    name: 'throttling'
    displayName: 'Microsoft Graph or the server itself throttles'
    description: 'Calls end with "throttled": one user or client asks too much, or the tenant is near its limits.'
    severity: 3
    threshold: 50
    query: '${audit} | where line.audit == "flood" or line.reason == "throttled"'
  }
  {
    name: 'errors'
    displayName: 'The server reports errors'
    description: 'Key Vault, Redis or a tool fails in a way that nobody expected.'
    severity: 1
    threshold: 5
    query: '${lines} | where line.level in ("error", "fatal")'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${surroundings.token}'
  location: 'global'
  tags: surroundings.tags
  properties: {
    groupShortName: 'graph-mcp'
    enabled: true
    emailReceivers: empty(email) ? [] : [{ name: 'operators', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${surroundings.token}'
    location: surroundings.location
    tags: surroundings.tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.displayName
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      // The tables come into being with the first line in them.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [people.id] }
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'workbook', surroundings.token)
  location: surroundings.location
  tags: surroundings.tags
  kind: 'shared'
  properties: {
    displayName: 'MCP server: who calls what'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: loadTextContent('workbook.json')
  }
}
