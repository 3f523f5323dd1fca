import express, { type RequestHandler, Router } from "express";
import type { Log } from "../diagnostics.ts";
import { createConnectionsPage } from "./connections-page.ts";
import type { Entra } from "./entra.ts";
import { createPageErrorHandler, PageError } from "./page-error.ts";
import { messagePage, PATHS } from "./pages.ts";
import { createSignIn, type SignInOptions } from "./sign-in.ts";
import { createStepUpPage } from "./step-up.ts";
import { createTrips } from "./trips.ts";

/** What the pages work with. */
export interface PageOptions extends Omit<SignInOptions, "trips"> {
  readonly entra: Entra;
  readonly adminConsent: (tenantId: string) => string;
  /** Stands before every page that leads to Entra, where each request leaves something in the store. */
  readonly limitTrips: RequestHandler;
  readonly log: Log;
}

const MAX_FORM = "8kb";

/** The pages of the broker: a client's sign-in, a step that a person still has to do at Entra, and what they let in. */
export function createPageRoutes(options: PageOptions): Router {
  const trips = createTrips(options);
  const signIn = createSignIn({ ...options, trips });
  const stepUp = createStepUpPage({ ...options, trips });
  const connections = createConnectionsPage({ ...options, trips });

  const callback: RequestHandler = async (req, res) => {
    const { purpose, outcome } = await trips.arrive(req, res);
    if ("error" in outcome) {
      if (purpose.kind === "client") return signIn.refused(req, res, purpose.uid, outcome);
      throw new PageError(messagePage("You are not signed in", "Entra ID ended the sign-in. Try again.", 400));
    }
    switch (purpose.kind) {
      case "client":
        return signIn.arrived(req, res, purpose.uid, outcome);
      case "step-up":
        return stepUp.finish(res, purpose.grant, outcome);
      case "connections":
        return connections.begin(res, outcome);
    }
  };

  const form = express.urlencoded({ extended: false, limit: MAX_FORM });
  const router = Router();
  router.get([PATHS.signIn(":uid"), PATHS.stepUp(":handle"), PATHS.connections], options.limitTrips);
  router.get(PATHS.signIn(":uid"), signIn.begin);
  router.get(PATHS.callback, callback);
  router.get(PATHS.consent(":uid"), signIn.showConsent);
  router.post(PATHS.consent(":uid"), form, signIn.decide);
  router.get(PATHS.stepUp(":handle"), stepUp.begin);
  router.get(PATHS.connections, connections.show);
  router.post(PATHS.connections, form, connections.end);
  router.use("/oauth", createPageErrorHandler(options.log));
  return router;
}
