import { expect, it } from "vitest";
import { parseNetrc } from "./netrc.ts";

it("reads logins in any layout, the first of each host, and nothing of macros and comments", () => {
  const logins = parseNetrc(`# machine commented login a password b
machine one.example login me password p#1
machine two.example
  login you
  account x
  password q
macdef init
machine inside login macro password never

default login anybody password any
machine one.example login late password late machine half login only
`);
  expect(Object.fromEntries(logins)).toEqual({
    "one.example": { username: "me", password: "p#1" },
    "two.example": { username: "you", password: "q" },
  });
});
