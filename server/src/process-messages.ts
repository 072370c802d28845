/** What the control plane tells the supervisor that started it, over its IPC channel. */
export type ControlPlaneMessage =
  /** certificates and the gateway's configuration are written: the gateway can start */
  | { readonly type: "prepared" }
  /** `notices` are sentences for the person who started it */
  | { readonly type: "ready"; readonly url: string; readonly notices: readonly string[] }
  /** it cannot start, and trying again would not help; `message` is one line for a person */
  | { readonly type: "fatal"; readonly message: string };

/** What the supervisor tells the control plane. Without it (SIGTERM) services keep running. */
export interface StopMessage {
  readonly type: "stop";
  readonly stopServices: boolean;
}
