/** Inputs of each action, as its action.yml has them in the version that the workflows use. GitHub only warns of others. */
export const ACTION_INPUTS: Readonly<Record<string, readonly string[]>> = {
  "actions/attest": ["predicate", "predicate-path", "predicate-type", "sbom-path", "subject-checksums", "subject-path"],
  "actions/checkout": ["fetch-depth", "path", "persist-credentials", "ref", "repository", "sparse-checkout"],
  "actions/dependency-review-action": [
    "allow-ghsas",
    "allow-licenses",
    "comment-summary-in-pr",
    "config-file",
    "fail-on-scopes",
    "fail-on-severity",
  ],
  "actions/download-artifact": ["artifact-ids", "merge-multiple", "name", "path", "pattern"],
  "actions/setup-node": ["cache", "check-latest", "node-version", "node-version-file", "package-manager-cache"],
  "actions/upload-artifact": ["compression-level", "if-no-files-found", "name", "overwrite", "path", "retention-days"],
  "Azure/setup-azd": ["version"],
  "github/codeql-action/analyze": ["category", "output", "upload"],
  "github/codeql-action/init": ["build-mode", "config-file", "languages", "packs", "queries"],
  "github/codeql-action/upload-sarif": ["category", "sarif_file"],
  "ossf/scorecard-action": ["publish_results", "repo_token", "results_file", "results_format"],
  "step-security/harden-runner": ["allowed-endpoints", "disable-sudo-and-containers", "egress-policy"],
};
