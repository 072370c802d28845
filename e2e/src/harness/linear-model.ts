/** An ONNX model of 122 bytes, as the scorer's own tests write them: y = x · w, float32 [rows, 3] to float32 [rows, 2]. */
export const linearModel: Uint8Array = Buffer.from(
  "CAhCBAoAEBE6cAoRCgF4CgF3EgF5IgZNYXRNdWwSBHRlc3QqIwgDCAIQAUIBd0oYAACAPwAAAAAAAAAAAACAPwAAIEEAAMhCWhcKAXgSEgoQCAESDAoGEgRyb3dzCgIIA2IXCgF5EhIKEAgBEgwKBhIEcm93cwoCCAI=",
  "base64",
);

/** The same as a script. Named inputs come under their name, rows of CSV under `data`. */
export const linearScript = `import json

WEIGHTS = [[1, 0], [0, 1], [10, 100]]

def init():
    pass

def run(data):
    given = json.loads(data)
    rows = given["x"] if "x" in given else given["data"]
    return {"y": [[sum(value * weights[column] for value, weights in zip(row, WEIGHTS)) for column in range(2)] for row in rows]}
`;
