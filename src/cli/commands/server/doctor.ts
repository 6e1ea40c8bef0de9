// `madeleine doctor`: says whether a server can run well with these settings, and how to mend what is wrong.

import type { Command } from 'commander';
import { CommandFailed } from '../../connection/failures.js';
import type { CliDeps, DoctorFinding } from '../../deps.js';
import { type Column, Output } from '../../text/output.js';
import { configCommand, DATABASE_SETTINGS, isGiven } from './config-options.js';
import { checkPorts } from './port-check.js';

const HELP = `
Looks at the database (version, settings, clock, schema) and at the ports; where a server runs at --http-listen, at that server
and at the database that it has, or at the one that --database-url or --data-dir names. Starts and changes nothing. Exit code 1 if
there is a problem.

Examples:
  $ madeleine doctor
  $ madeleine doctor --database-url mysql://madeleine:secret@db.internal:3306/madeleine --json`;

const DATABASE_NAMES = ['databaseUrl', 'dataDir'] as const;

const COLUMNS: readonly Column<DoctorFinding>[] = [
  { title: 'CHECK', text: ({ check }) => check },
  { title: 'STATE', text: ({ state }) => state },
  { title: 'FOUND', text: ({ detail }) => detail },
];

export function doctorCommand(deps: CliDeps): Command {
  return configCommand(
    {
      name: 'doctor',
      summary: 'check database, clock, ports and schema, and say how to mend them',
      heeds: ['listen', 'httpListen', ...DATABASE_SETTINGS],
    },
    deps,
    async (config, flags) => {
      const output = new Output({ stdout: deps.stdout, stderr: deps.stderr, json: flags.json === true });
      const findings = [
        ...(await deps.doctor(config, { namesDatabase: DATABASE_NAMES.some((name) => isGiven(name, flags, deps)) })),
        ...(await checkPorts(config)),
      ];
      await output.list(findings, { columns: COLUMNS, json: (finding) => JSON.stringify(finding) });
      if (!output.json) await printMends(output, findings);
      const problems = findings.filter(({ state }) => state === 'problem').length;
      if (problems > 0)
        throw new CommandFailed(problems === 1 ? 'there is 1 problem' : `there are ${problems} problems`);
    },
  )
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', HELP);
}

async function printMends(output: Output, findings: readonly DoctorFinding[]): Promise<void> {
  for (const { check, mend } of findings) {
    if (mend !== undefined) await output.line(`\n${check}: ${mend}`);
  }
}
