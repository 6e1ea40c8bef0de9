// Bounds of JSON that the server takes in.

/** Levels of arrays and objects that a JSON value may nest. */
export const MAX_JSON_DEPTH = 64;
