import {
  type AuthorityValidationOptions,
  ManagedIdentityCredential,
  OnBehalfOfCredential,
  type OnBehalfOfCredentialAssertionOptions,
  type TokenCredential,
  type TokenCredentialOptions,
} from "@azure/identity";

/** Identity settings of this deployment. */
export interface IdentitySettings {
  /** `https://login.microsoftonline.com`, or that of a national cloud. */
  readonly authorityHost: string;
  /** False for authorities that Microsoft does not know: a local stand-in. */
  readonly instanceDiscovery: boolean;
  /** Client id of the user-assigned managed identity. */
  readonly managedIdentityClientId: string;
}

/** The server itself, as its user-assigned managed identity: for Key Vault, and as assertion in place of a secret. */
export function createManagedIdentity({ managedIdentityClientId }: IdentitySettings): TokenCredential {
  return new ManagedIdentityCredential({ clientId: managedIdentityClientId });
}

/** One user, through the app registration that trusts the managed identity (workload identity federation). */
export function createOnBehalfOfCredential(
  settings: IdentitySettings,
  exchange: {
    readonly tenantId: string;
    readonly clientId: string;
    readonly userAssertion: string;
    readonly getAssertion: () => Promise<string>;
  },
): TokenCredential {
  const options: OnBehalfOfCredentialAssertionOptions & AuthorityValidationOptions & TokenCredentialOptions = {
    tenantId: exchange.tenantId,
    clientId: exchange.clientId,
    userAssertionToken: exchange.userAssertion,
    getAssertion: exchange.getAssertion,
    authorityHost: settings.authorityHost,
    disableInstanceDiscovery: !settings.instanceDiscovery,
    // Somebody waits: the default of three, each after a longer pause, would use up most of the call's time.
    retryOptions: { maxRetries: 1 },
  };
  return new OnBehalfOfCredential(options);
}
