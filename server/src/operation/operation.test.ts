import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError, type ErrorKind } from "../platform/errors.ts";
import { isTerminal, mayChange, type OperationStatus, operationError, transitions } from "./operation.ts";

const statuses = Object.keys(transitions) as OperationStatus[];
const status = fc.constantFrom(...statuses);

describe("the transition table", () => {
  it("has no way out of a terminal state", () => {
    fc.assert(fc.property(status, status, (from, to) => !isTerminal(from) || !mayChange(from, to)));
  });

  it("reaches a terminal state from everywhere, and every state from the first", () => {
    const reachable = (from: OperationStatus, seen = new Set<OperationStatus>()): Set<OperationStatus> => {
      if (!seen.has(from)) {
        seen.add(from);
        for (const next of transitions[from]) reachable(next, seen);
      }
      return seen;
    };
    expect(reachable("NotStarted")).toEqual(new Set(statuses));
    for (const from of statuses) expect([...reachable(from)].some(isTerminal)).toBe(true);
  });

  it("never stays in place", () => {
    fc.assert(fc.property(status, (same) => !mayChange(same, same)));
  });
});

describe("operationError", () => {
  it("is a client's mistake unless it is ours, and always has details", () => {
    const kind = fc.constantFrom<ErrorKind>("invalid", "notFound", "conflict", "unavailable", "limit");
    fc.assert(
      fc.property(kind, fc.string(), (given, message) => {
        const error = operationError(new AppError({ code: "Code", kind: given, message }));
        return error.statusCode === 400 && error.details.length === 1;
      }),
    );
    expect(operationError(new AppError({ code: "X", kind: "internal", message: "m" })).statusCode).toBe(500);
    expect(operationError(new AppError({ code: "X", kind: "timeout", message: "m" })).statusCode).toBe(408);
  });
});
