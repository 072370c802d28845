// An 8×8 picture of a digit beside the probabilities of its ten meanings.
import { styleText } from "node:util";

const terminal = { stream: process.stderr };
const SIDE = 8;
const DARKEST = 16;
const SHADES = [" ", "░", "▒", "▓", "█"];
const BAR = 30;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * @param {readonly number[]} pixels 64 of them, 0 to 16, row by row
 * @param {readonly number[]} probabilities of the digits 0 to 9
 */
export function drawAnswer(pixels, probabilities, title) {
  const picture = ["", ...drawPicture(pixels)];
  const best = probabilities.indexOf(Math.max(...probabilities));
  const lines = probabilities.map((probability, digit) => {
    const left = picture[digit] ?? " ".repeat(2 * SIDE);
    const bar = `${digit} ${drawBar(probability)} ${(probability * 100).toFixed(1)} %`;
    return `  ${left.padEnd(2 * SIDE)}    ${digit === best ? styleText("green", bar, terminal) : bar}`;
  });
  return [styleText("bold", title, terminal), ...lines].join("\n");
}

function drawPicture(pixels) {
  return Array.from({ length: SIDE }, (_, row) =>
    pixels
      .slice(row * SIDE, (row + 1) * SIDE)
      .map((value) => SHADES[Math.round((value / DARKEST) * (SHADES.length - 1))].repeat(2))
      .join(""),
  );
}

function drawBar(share) {
  const eighths = Math.round(share * BAR * 8);
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}
