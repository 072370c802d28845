/** The dependency rule of ARCHITECTURE.md, checked by `npm run check`. Rooms in their order: a room may not import a later one. */
const rooms = ["workspace", "artifact", "model", "environment", "registry", "image", "compute", "service"];
const roomPath = (names) => `^server/src/(${names.join("|")})/`;
const anyRoom = `^server/src/(${[...rooms, "operation", "access", "secret", "telemetry"].join("|")})/`;

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "data-plane-knows-no-control-plane",
      severity: "error",
      from: { path: "^(scoring|gateway)/" },
      to: { path: "^(server|client|cli)/" },
    },
    {
      name: "client-is-browser-safe",
      severity: "error",
      from: { path: "^(api|client)/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "api-imports-nobody",
      severity: "error",
      from: { path: "^api/" },
      to: { path: "^(server|gateway|scoring|client|cli)/" },
    },
    {
      name: "client-knows-the-wire-only",
      severity: "error",
      from: { path: "^client/" },
      to: { path: "^(server|gateway|scoring|cli)/" },
    },
    {
      name: "platform-knows-no-rooms",
      severity: "error",
      from: { path: "^server/src/platform/" },
      to: { path: "^server/src/(?!platform/)" },
    },
    {
      name: "operation-engine-knows-no-rooms",
      severity: "error",
      from: { path: "^server/src/operation/", pathNot: "\\.test\\.ts$" },
      to: { path: roomPath(rooms), pathNot: "^server/src/workspace/" },
    },
    {
      name: "only-the-root-imports-a-target",
      severity: "error",
      from: { pathNot: "^server/src/(composition/targets\\.ts|target/)" },
      to: { path: "^server/src/target/[^/]+/" },
    },
    {
      name: "targets-know-the-contract-only",
      severity: "error",
      from: { path: "^server/src/target/" },
      to: { path: anyRoom },
    },
    {
      name: "rooms-through-their-index",
      severity: "error",
      from: { path: "^server/src/([^/]+)/", pathNot: "\\.test\\.ts$" },
      to: {
        path: anyRoom,
        pathNot: ["^server/src/$1/", "/index\\.ts$", "^server/src/workspace/workspace-scope\\.ts$"],
      },
    },
    {
      name: "only-routes-know-the-wire",
      severity: "error",
      from: { path: anyRoom, pathNot: "(-routes|-wire|\\.test)[^/]*\\.ts$" },
      to: { path: "^api/src/azureml/" },
    },
    {
      name: "domain-is-pure",
      severity: "error",
      from: { path: "^server/src/([^/]+)/\\1\\.ts$" },
      to: {
        path: "^server/src/",
        pathNot: ["^server/src/platform/(errors|clock)\\.ts$", "/index\\.ts$", "^server/src/target/target\\.ts$"],
      },
    },
    ...rooms.map((room, index) => ({
      name: `${room}-is-below-what-comes-after`,
      severity: "error",
      from: { path: roomPath([room]) },
      to: { path: index + 1 < rooms.length ? roomPath(rooms.slice(index + 1)) : "^nothing$" },
    })),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist/" },
    tsPreCompilationDeps: true,
    parser: "swc",
    enhancedResolveOptions: {
      conditionNames: ["slipway-source", "import", "node", "default"],
      exportsFields: ["exports"],
      extensions: [".ts", ".js", ".cjs", ".mjs"],
    },
  },
};
