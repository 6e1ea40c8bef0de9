// How the payload of an event that is sent looks.

/** How JSON payloads are encoded: as a Value, or as their bytes. */
export type PayloadForm = 'json' | 'bytes';
