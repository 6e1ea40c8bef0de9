// Bytes that commands are given as text: taken as they are, or refused with what they are.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { argumentProblem } from '../../../src/cli/text/arguments.js';
import { parseExactJson } from '../../../src/cli/text/exact-json.js';
import { textProblem, withoutMark } from '../../../src/cli/text/input-text.js';
import { parseNewEvent } from '../../../src/cli/text/new-event-json.js';
import { description } from '../../../src/cli/text/values.js';
import { readConfig } from '../../../src/config.js';

const latin = (text: string) => Buffer.from(text, 'latin1');
const wide = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

describe('bytes that have to be text', () => {
  it.each([
    ['a letter of latin1', latin('{"n":"M\xfc"}'), 'is not UTF-8: byte 8 is 0xfc'],
    ['a letter that is cut off', Buffer.from('é').subarray(0, 1), 'is not UTF-8: byte 1 is 0xc3'],
    ['an overlong slash', Buffer.from([0x7b, 0xc0, 0xaf]), 'is not UTF-8: byte 2 is 0xc0'],
    ['half of a surrogate pair', Buffer.from([0xed, 0xa0, 0x80]), 'is not UTF-8: byte 1 is 0xed'],
    ['UTF-16 of Windows', wide('{}'), 'is UTF-16, not UTF-8'],
    ['UTF-16 of the network', wide('{}').swap16(), 'is UTF-16, not UTF-8'],
    ['UTF-16 without a mark', Buffer.from('{}', 'utf16le'), 'has a NUL as byte 2'],
  ])('are refused with what they are: %s', (_, bytes, said) => {
    expect(textProblem(bytes)).toContain(said);
  });

  it.each(['{"n":"Mü"}', '\ufffd', '', '\u{10ffff}'])('are taken as they are: %j', (text) => {
    expect(textProblem(Buffer.from(text))).toBeUndefined();
    expect(withoutMark(Buffer.from(text)).toString()).toBe(text);
    expect(withoutMark(Buffer.from(`\ufeff${text}`)).toString()).toBe(text);
  });
});

describe('arguments', () => {
  const given = (...parts: Buffer[]) => argumentProblem(parts.map(String), () => [Buffer.from('node'), ...parts]);

  it('are refused where they were no UTF-8', () => {
    expect(given(latin('push'), latin('{"n":"M\xfc"}'))).toMatch(
      /^the argument "\{"n":"M\ufffd"\}" is not UTF-8: byte 8/,
    );
    expect(argumentProblem(['\ufffd'], () => [])).toContain('is not UTF-8');
  });

  it('are taken with the character that Node writes for other bytes, where it was given', () => {
    expect(given(Buffer.from('\ufffd'))).toBeUndefined();
  });

  it('are looked at as the system has them', async () => {
    const source = `
      const { argumentProblem } = await import(${JSON.stringify(import.meta.resolve('../../../src/cli/text/arguments.ts'))});
      console.log(argumentProblem(process.argv.slice(1)));`;
    const command = `"$1" --import "$2" --input-type=module -e "$3" -- $'M\\xfc'`;
    const argv = ['-c', command, 'bash', process.execPath, import.meta.resolve('tsx'), source];
    const { stdout } = await promisify(execFile)('bash', argv);
    expect(stdout).toMatch(/is not UTF-8: byte 2 is 0xfc/);
  });
});

describe('settings', () => {
  it('that were no UTF-8 are refused, without what they hold', () => {
    const environment = { MADELEINE_DATA_DIR: '/srv/M\ufffdller' };
    expect(() => readConfig({}, environment)).toThrow('MADELEINE_DATA_DIR (--data-dir) has to be UTF-8');
    expect(() => readConfig({ databaseUrl: 'mysql://u:\ufffd@h/d' }, {})).toThrow(/^[^@]*has to be UTF-8$/);
  });
});

describe('JSON', () => {
  it.each([
    ['{"n":9007199254740993}', 'a double does not hold exactly'],
    ['{"n":[1e400]}', 'a double does not hold exactly'],
    ['{"n":0.1000000000000000055}', 'a double does not hold exactly'],
    ['{"a":1,"a":1}', 'a key twice'],
    ['{"a":"\\ud800"}', 'half of a surrogate pair'],
    ['{"\\udfff":1}', 'half of a surrogate pair'],
    ['{"a":', 'is not JSON'],
  ])('is refused where reading would change it: %s', (text, said) => {
    expect(() => parseExactJson(text)).toThrow(said);
  });

  it('is refused where it nests deeper than a program can follow', () => {
    expect(() => parseExactJson(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)).toThrow('nests too deep');
  });

  it.each(['{"n":[1,1.0,1e2,0.1,-0.5e-7,9007199254740992]}', '"\\\\ud800"', '"\\ud83d\\ude00"', 'null'])(
    'is read where nothing is lost: %s',
    (text) => {
      expect(parseExactJson(text)).toEqual(JSON.parse(text));
    },
  );

  it('of a description is held to the same', () => {
    expect(() => description('{"a":"\\ud800"}')).toThrow('half of a surrogate pair');
    expect(description('\ufeff{"a":1}')).toEqual({ a: 1 });
  });
});

describe('events as JSON', () => {
  const payload = (line: string) => {
    const { body } = parseNewEvent(line).payload ?? {};
    return body?.$case === 'data' ? body.value.toString() : body;
  };

  it('keep the text of their payload', () => {
    for (const text of ['{"n": 9007199254740993}', '[1.0, 1e2]', '"\\ud800"', 'null', '{"b":1,"a":2}']) {
      expect(payload(`{"topic":"t","payload":{"json":${text}}}`)).toBe(text);
    }
    expect(payload('{"payload":{"contentType":"x/y","data":"AP8="}}')).toBe(Buffer.from([0, 255]).toString());
  });

  it.each([
    ['{"topic":7}', 'topic is not a text'],
    ['{"reply_to":{"a":1}}', 'reply_to is not a text'],
    ['{"topic":"\\ud800"}', 'topic has half of a surrogate pair'],
    ['{"version":"x"}', 'version is not a whole number'],
    ['{"properties":{"a":1}}', 'the property "a" is not a text'],
    ['{"properties":["a"]}', 'properties is not an object'],
    ['{"payload":{"data":"!!!"}}', 'payload.data is not base64'],
    ['{"payload":{"data":"AA==","json":1}}', 'payload has both json and data'],
    ['{"payload":"text"}', 'payload is not an object'],
    ['{"description":{"n":9007199254740993}}', 'the description has a number that a double does not hold exactly'],
  ])('are refused where they would be stored as something else: %s', (line, said) => {
    expect(() => parseNewEvent(line)).toThrow(said);
  });
});
