import { describe, expect, it } from 'vitest';
import { ConfigError, OPTIONS, type OptionName, readConfig } from '../../src/config.js';

const NAMES = Object.keys(OPTIONS) as OptionName[];

describe('settings', () => {
  it('has the documented defaults', () => {
    expect(readConfig({}, {})).toMatchObject({
      listen: '127.0.0.1:50051',
      httpListen: '127.0.0.1:50080',
      databaseUrl: '',
      dataDir: './data',
      maxEventBytes: 256 * 1024,
      allowLossy: false,
      logLevel: 'info',
    });
  });

  it('takes a flag before the environment, and that before the default', () => {
    const environment = { MADELEINE_DB_POOL: '20', MADELEINE_LISTEN: '0.0.0.0:1' };
    const config = readConfig({ databasePool: '30' }, environment);
    expect(config).toMatchObject({ databasePool: 30, listen: '0.0.0.0:1', httpListen: '127.0.0.1:50080' });
  });

  it('takes an empty value for none', () => {
    const config = readConfig({ listen: '' }, { MADELEINE_LISTEN: '', MADELEINE_DB_POOL: '' });
    expect(config).toMatchObject({ listen: '127.0.0.1:50051', databasePool: 10 });
  });

  it('ignores variables that are not its own', () => {
    expect(readConfig({}, { LISTEN: 'x', MADELEINE_UNKNOWN: 'x' })).toEqual(readConfig({}, {}));
  });

  it('gives every option a variable and a flag of its own, in the house’s form', () => {
    const variables = NAMES.map((name) => OPTIONS[name].variable);
    const flags = NAMES.map((name) => OPTIONS[name].flag);
    expect(new Set(variables).size).toBe(NAMES.length);
    expect(new Set(flags).size).toBe(NAMES.length);
    expect(variables.filter((variable) => !/^MADELEINE_[A-Z_]+$/.test(variable))).toEqual([]);
    expect(flags.filter((flag) => !/^--[a-z-]+$/.test(flag))).toEqual([]);
    expect(NAMES.filter((name) => !/^\S.*\.$/.test(OPTIONS[name].text))).toEqual([]);
  });

  it.each<[name: OptionName, text: string]>([
    ['listen', 'localhost'],
    ['listen', 'localhost:'],
    ['listen', ':50051'],
    ['listen', '127.0.0.1:65536'],
    ['listen', '::1:50051'],
    ['listen', 'host name:1'],
    ['httpListen', '127.0.0.1:http'],
    ['databasePool', '0'],
    ['databasePool', '201'],
    ['databasePool', '1.5'],
    ['databasePool', '-1'],
    ['databasePool', '1e1'],
    ['databasePool', ' 5'],
    ['maxEventBytes', '256k'],
    ['drainMs', '9001'],
    ['allowLossy', 'yes'],
    ['allowLossy', 'TRUE'],
    ['logLevel', 'verbose'],
  ])('refuses %s = "%s", naming variable, flag and value', (name, text) => {
    const { variable, flag } = OPTIONS[name];
    for (const read of [() => readConfig({ [name]: text }, {}), () => readConfig({}, { [variable]: text })]) {
      expect(read).toThrow(ConfigError);
      expect(read).toThrow(new RegExp(`^${variable} \\(${flag}\\) has to be .*, not "${text}"$`));
    }
  });

  it.each<[name: OptionName, text: string, value: string | number | boolean]>([
    ['listen', '0.0.0.0:0', '0.0.0.0:0'],
    ['listen', '[::1]:50051', '[::1]:50051'],
    ['listen', 'events.example.org:65535', 'events.example.org:65535'],
    ['databasePool', '1', 1],
    ['databasePool', '200', 200],
    ['maxEventBytes', '1048576', 1_048_576],
    ['drainMs', '0', 0],
    ['allowLossy', 'true', true],
    ['logLevel', 'silent', 'silent'],
    ['databaseUrl', 'mysql://user:p%40ss@db:3306/madeleine', 'mysql://user:p%40ss@db:3306/madeleine'],
  ])('reads %s = "%s"', (name, text, value) => {
    expect(readConfig({ [name]: text }, {})[name]).toBe(value);
  });
});
