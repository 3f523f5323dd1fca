/** Where a browser could show a page. */
export interface Desktop {
  readonly platform: NodeJS.Platform;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Opens an address in this machine's browser. Rejects where none can be opened: on Linux without a display, in an SSH
 * session (the person sits elsewhere), or when the system's opener fails.
 */
export async function openBrowser(url: string, { platform, environment }: Desktop): Promise<void> {
  const { DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME, BROWSER, SSH_CONNECTION } = environment;
  const hasDisplay = platform !== "linux" || Boolean(DISPLAY || WAYLAND_DISPLAY || WSL_DISTRO_NAME);
  if (!BROWSER && (!hasDisplay || SSH_CONNECTION)) throw new Error("There is no display for a browser.");
  const { default: open } = await import("open");
  await open(url);
}
