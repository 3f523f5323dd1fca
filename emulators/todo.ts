/** The vocabulary of Microsoft To Do: task lists and what is in them. Plain data. */

/** One task list of a user. */
export interface TaskList {
  readonly id: string;
  readonly name: string;
  readonly wellKnownName: "none" | "defaultList" | "flaggedEmails";
  /** Newest first. */
  readonly tasks: Task[];
}

/** One task. */
export interface Task {
  readonly id: string;
  readonly title: string;
  readonly status: "notStarted" | "inProgress" | "completed" | "waitingOnOthers" | "deferred";
  readonly importance: "low" | "normal" | "high";
  readonly note: string;
  readonly created: string;
  readonly modified: string;
  /**
   * ISO instant in UTC: midnight where its author was when the task got its date. Graph does not say where that is.
   * Source: https://github.com/RogerSelwyn/MS365-ToDo/issues/29
   */
  readonly due?: string | undefined;
  readonly completed?: string | undefined;
}
