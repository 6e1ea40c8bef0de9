// What a check of a schema found, in lines for people.

import type {
  CheckSchemaResponse,
  RefusedEvent,
  SchemaFinding,
  SchemaShadow,
} from '../../../../generated/madeleine/v1/topic_service.js';
import { cut } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { compatibilityName } from './schema-options.js';

/** Characters of an example, and of what is wrong with an event. */
const MAX_SHOWN = 200;

export function checkLines({
  compatible,
  compatibility,
  latestVersion,
  same,
  findings,
  unknownKeywords,
  shadow,
}: CheckSchemaResponse): string[] {
  return [
    ...findings.flatMap(findingLines),
    ...unknownKeywords.map((pointer) => `unknown   ${pointer}: not a keyword, it means nothing`),
    ...(shadow === undefined ? [] : shadowLines(shadow)),
    verdict(compatible, compatibilityName(compatibility), same ? undefined : latestVersion),
  ];
}

/** `latestVersion`: undefined if the schema is that version. */
function verdict(compatible: boolean, mode: string, latestVersion: number | undefined): string {
  if (latestVersion === undefined) return 'the topic has this schema already';
  if (!compatible) return `not compatible (${mode}) with what is there`;
  return latestVersion === 0
    ? 'compatible: it is the first'
    : `compatible (${mode}): it becomes version ${latestVersion + 1}`;
}

function findingLines({ path, description, cure, example }: SchemaFinding): string[] {
  const head = example === '' ? 'unproven ' : 'breaks   ';
  const lines = [`${head} ${path === '' ? 'the payload' : path}: ${description}`, `          to mend it: ${cure}`];
  return example === '' ? lines : [...lines, `          example: ${cut(example, MAX_SHOWN)}`];
}

function shadowLines({ examined, refused, samples, complete }: SchemaShadow): string[] {
  const end = complete ? '' : '; there are more, which were not looked at';
  return [`stored    would refuse ${refused} of ${examined} events${end}`, ...samples.map(sampleLine)];
}

function sampleLine({ eventId, position, createdAt, mismatches }: RefusedEvent): string {
  const wrong = mismatches.map(({ path, description }) => `${path === '' ? 'the payload' : path} ${description}`);
  return `          ${position}  event ${eventId}  ${timestampText(createdAt)}  ${cut(wrong.join('; '), MAX_SHOWN)}`;
}
