/** Anything longer is no expression that a person wrote. */
const MAX_PARTS = 100;

/**
 * Whether a text is an SPDX licence expression: known identifiers joined by AND, OR and WITH, in parentheses or not.
 *
 * @param isKnown whether SPDX lists an identifier; exceptions, which stand after WITH, are not asked for
 */
export function isLicenseExpression(text: string, isKnown: (identifier: string) => boolean): boolean {
  const parts = text.match(/[()]|[^\s()]+/g) ?? [];
  if (parts.length > MAX_PARTS) return false;
  let open = 0;
  let before = "";
  for (const part of parts) {
    const expectsOperand = before === "" || before === "(" || isOperator(before);
    const fits = isOperator(part) || part === ")" ? !expectsOperand : expectsOperand;
    if (!fits) return false;
    if (part === "(") open += 1;
    else if (part === ")") open -= 1;
    else if (!isOperator(part) && !isLicense(part, before, isKnown)) return false;
    if (open < 0) return false;
    before = part;
  }
  return before !== "" && before !== "(" && !isOperator(before) && open === 0;
}

const isOperator = (part: string) => part === "AND" || part === "OR" || part === "WITH";

function isLicense(part: string, before: string, isKnown: (identifier: string) => boolean): boolean {
  if (before === "WITH" || part.startsWith("LicenseRef-")) return /^[A-Za-z0-9.-]+$/.test(part);
  return isKnown(part.replace(/\+$/, ""));
}
