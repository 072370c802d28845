/** For which machine an image is made, in the words of the OCI image specification. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What an image says about running it (OCI image specification, "Image configuration"), empty where it says nothing. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workingDirectory: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** `5001/tcp` */
  readonly exposedPorts: readonly string[];
}
