// Compares postern's decisions with those of @cloud-copilot/iam-simulate over seeded random
// policies and requests. Prints a table, and fails for a decision that differs for no known reason.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runUnsafeSimulation } from '@cloud-copilot/iam-simulate';

import { SIGNERS, policy, random, request } from './cases.js';
import { DIFFERENCES } from './differences.js';

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const seed = option('--seed', 16);
const batches = option('--batches', 20);
/** Policies and requests of a batch: each policy decides each request. */
const POLICIES = 20;
const REQUESTS = 10;
const SHOWN = 10;

/** Whether postern allows each request under each policy. One process decides a whole batch. */
function postern(folder, policies, requests) {
  const lines = requests.map(({ signer, action, resource, context }) => {
    const said = Object.entries(context).flatMap(([key, values]) =>
      [values].flat().map((value) => `${key}=${value}`),
    );
    return [signer, action, resource, ...said, '=> deny'].join(' ');
  });
  writeFileSync(join(folder, 'decisions'), lines.join('\n'));
  const files = policies.map((document, number) => {
    writeFileSync(join(folder, `${number}.json`), JSON.stringify(document));
    const file = join(folder, `${number}.toml`);
    const signers = SIGNERS.map(
      (name, id) =>
        `[[signer]]\nname = "${name}"\naccess_key_id = "A${id}"\nsecret_access_key = "x${id}"\n` +
        `policy_documents = ["${number}.json"]\n`,
    );
    writeFileSync(file, signers.join(''));
    return file;
  });
  const config = join(folder, 'config.toml');
  writeFileSync(config, '[policy]\nfile = "0.toml"\n');
  const args = [
    '--config',
    config,
    'check',
    '--json',
    '--decisions',
    join(folder, 'decisions'),
    ...files,
  ];
  let printed;
  try {
    printed = execFileSync(process.env.POSTERN, args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch (error) {
    // 1: a request was allowed, though every line wants a denial.
    if (error.status !== 1) throw error;
    printed = error.stdout;
  }
  const checked = printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return checked.map((found, number) => {
    if (!found.valid) throw new Error(`${found.problem}\n${JSON.stringify(policies[number])}`);
    const odd = found.wrong_decisions.find((wrong) => !wrong.includes(': must deny, and is '));
    if (odd) throw new Error(`not a decision: ${odd}`);
    const allowed = new Set(
      found.wrong_decisions.map((wrong) => Number(/decisions:(\d+): /.exec(wrong)[1])),
    );
    return requests.map((_, line) => allowed.has(line + 1));
  });
}

/** Whether the other evaluator allows it. */
function peer(document, { action, resource, context }) {
  const result = runUnsafeSimulation(
    {
      request: {
        principal: context['aws:PrincipalArn'],
        action,
        resource: { resource, accountId: '000000000000' },
        contextVariables: context,
      },
      identityPolicies: [{ name: 'alice', policy: document }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  return result === 'Allowed';
}

const counts = { decisions: 0, allowed: 0, unexplained: 0 };
const explained = new Map(DIFFERENCES.map((difference) => [difference, 0]));
const folder = mkdtempSync(join(tmpdir(), 'postern-policy-peers-'));
try {
  for (let batch = 0; batch < batches; batch += 1) {
    const dice = random(seed * 1_000_003 + batch);
    const policies = Array.from({ length: POLICIES }, () => policy(dice));
    const requests = Array.from({ length: REQUESTS }, () => request(dice));
    const decided = postern(folder, policies, requests);
    policies.forEach((document, number) => {
      requests.forEach((asked, line) => {
        const ours = decided[number][line];
        counts.decisions += 1;
        counts.allowed += ours ? 1 : 0;
        if (peer(document, asked) === ours) return;
        const reason = DIFFERENCES.find((difference) => difference.applies(document, asked));
        if (reason) {
          explained.set(reason, explained.get(reason) + 1);
          return;
        }
        counts.unexplained += 1;
        if (counts.unexplained <= SHOWN) {
          console.log(`postern ${ours ? 'allows' : 'denies'}, the other does not:`);
          console.log(`  ${JSON.stringify(document)}\n  ${JSON.stringify(asked)}`);
        }
      });
    });
  }
} finally {
  rmSync(folder, { recursive: true });
}

const version = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies[
  '@cloud-copilot/iam-simulate'
];
console.log(`\n| | |\n|---|---|`);
console.log(`| date | ${new Date().toISOString().slice(0, 10)} |`);
console.log(`| evaluator | @cloud-copilot/iam-simulate ${version} |`);
console.log(`| seed | ${seed} |`);
console.log(`| policies | ${batches * POLICIES} |`);
console.log(`| decisions | ${counts.decisions}, ${counts.allowed} of them allow |`);
for (const [{ name }, count] of explained) console.log(`| known: ${name} | ${count} |`);
console.log(`| unexplained | ${counts.unexplained} |`);
const least = counts.decisions / 10;
if (counts.allowed < least || counts.decisions - counts.allowed < least) {
  throw new Error('the cases are one-sided: under a tenth of the decisions allow, or deny');
}
process.exitCode = counts.unexplained === 0 ? 0 : 1;
