// Seeded random policies and requests. Every policy is valid for postern, and every element that it
// knows occurs.

/** A small generator of 32 bits of state: the same seed gives the same cases everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound) => Math.floor(next() * bound);
  const pick = (list) => list[below(list.length)];
  return {
    below,
    pick,
    chance: (share) => next() < share,
    /** At least `least` and at most `most` different entries. */
    some: (list, least, most) => {
      const rest = [...list];
      const count = Math.min(rest.length, least + below(most - least + 1));
      return Array.from({ length: count }, () => rest.splice(below(rest.length), 1)[0]);
    },
  };
}

const TEXT = [
  'StringEquals',
  'StringNotEquals',
  'StringEqualsIgnoreCase',
  'StringNotEqualsIgnoreCase',
  'StringLike',
  'StringNotLike',
];
const NUMBER = [
  'NumericEquals',
  'NumericNotEquals',
  'NumericLessThan',
  'NumericLessThanEquals',
  'NumericGreaterThan',
  'NumericGreaterThanEquals',
];
const DATE = [
  'DateEquals',
  'DateNotEquals',
  'DateLessThan',
  'DateLessThanEquals',
  'DateGreaterThan',
  'DateGreaterThanEquals',
];
const ADDRESS = ['IpAddress', 'NotIpAddress'];
const ARN = ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'];

const words = [
  '',
  'a',
  'ab',
  'A',
  'a*b',
  'home/',
  'home/alice/',
  'Home/',
  'https://example.com/',
  'ΟΔΟΣ',
  'οδος',
  '[x]',
  'a.b',
];
const patterns = [
  '',
  'a',
  'a*',
  '?',
  'A',
  'home/*',
  'home/${aws:username}/*',
  '${aws:Referer}*',
  "${aws:Referer, 'a'}",
  '*',
  'οδοσ',
  'a${*}b',
  '[x]',
  '?.b',
  '*/',
];
const text = { operators: TEXT, values: words, wanted: patterns };
const number = {
  operators: NUMBER,
  values: ['0', '10', '10.5', '1000', '600000', '-1'],
  wanted: ['0', '10', '10.0', '1000', '600000', '-1'],
};
const instants = [
  '2026-11-27T12:00:00Z',
  '2026-11-27T12:00:01Z',
  '2025-01-01T00:00:00Z',
  '2027-06-01T23:59:59Z',
];
const date = {
  operators: DATE,
  values: instants,
  wanted: [...instants, '2026-11-27', '2026-11-27T13:00:00+01:00', '1795780800'],
};
const epoch = {
  operators: [...DATE, ...NUMBER],
  wanted: ['1795780800', '1735689600', '1795780801'],
};

/** Every condition key: its operators, what requests say, what policies want. */
const KEYS = {
  'aws:SourceIp': {
    operators: ADDRESS,
    values: ['10.0.0.1', '10.1.2.3', '203.0.113.7', '2001:db8::1', '2001:db8:1::7', '127.0.0.1'],
    wanted: [
      '10.0.0.0/8',
      '10.0.0.1',
      '10.0.0.0/24',
      '203.0.113.0/24',
      '2001:db8::/32',
      '2001:db8:1::/64',
      '2001:db8::1',
      '0.0.0.0/0',
      '::/0',
    ],
  },
  'aws:SecureTransport': {
    operators: ['Bool'],
    values: ['true', 'false'],
    wanted: ['true', 'false', 'True'],
  },
  'aws:CurrentTime': date,
  'aws:EpochTime': epoch,
  'aws:UserAgent': text,
  'aws:Referer': text,
  'aws:username': {
    operators: TEXT,
    wanted: ['alice', 'al*', 'bob', 'Al${*}ce', '*'],
  },
  'aws:userid': {
    operators: TEXT,
    wanted: ['alice', 'b*', '${aws:username}'],
  },
  'aws:PrincipalArn': {
    operators: ARN,
    wanted: [
      'arn:aws:iam::000000000000:user/alice',
      'arn:aws:iam::*:user/*',
      'arn:aws:iam::0?00*:user/bob',
      'arn:*:iam::*:user/${aws:username}',
      'arn:aws:*:*:*:*bob',
    ],
  },
  's3:signatureAge': { ...number, values: ['0', '10', '1000', '600000'] },
  's3:authType': {
    operators: TEXT,
    values: ['REST-QUERY-STRING', 'REST-HEADER', 'POST'],
    wanted: ['REST-QUERY-STRING', 'rest-header', 'REST-*'],
  },
  's3:signatureversion': {
    operators: TEXT,
    values: ['AWS4-HMAC-SHA256'],
    wanted: ['AWS4-HMAC-SHA256', 'AWS', 'AWS4*'],
  },
  's3:prefix': text,
  's3:delimiter': { operators: TEXT, values: ['/', '', '-'], wanted: ['/', '', '?'] },
  's3:max-keys': number,
  's3:x-amz-content-sha256': {
    operators: TEXT,
    values: ['UNSIGNED-PAYLOAD', `ab12${'0'.repeat(60)}`],
    wanted: ['UNSIGNED-PAYLOAD', '????', 'ab*'],
  },
  's3:x-amz-acl': {
    operators: TEXT,
    values: ['private', 'public-read'],
    wanted: ['private', 'public-*', 'PRIVATE'],
  },
  's3:x-amz-copy-source': {
    operators: TEXT,
    values: ['films/a', 'other/home/b'],
    wanted: ['films/a', 'films/*', '?ther/*', 'FILMS/a'],
  },
  's3:TlsVersion': { operators: NUMBER, values: ['1.2', '1.3'], wanted: ['1.2', '1.3', '1'] },
  's3:ExistingObjectTag/class': text,
  's3:RequestObjectTag/class': text,
  's3:RequestObjectTagKeys': {
    operators: TEXT,
    values: ['a', 'ab', 'home/', 'A'],
    wanted: ['a', 'a*', 'home/', 'b'],
    several: true,
  },
};

const ACTIONS = [
  '*',
  's3:*',
  's3:Get*',
  's3:GetObject',
  'S3:getobject',
  's3:List*',
  's3:?etObject',
  's3:PutObject',
  's3:Put*Tagging',
  's3:DeleteObject',
  's3:ListBucket',
  'ec2:*',
  'ec2:RunInstances',
];
const RESOURCES = [
  '*',
  'arn:aws:s3:::*',
  'arn:aws:s3:::films',
  'arn:aws:s3:::films/*',
  'arn:aws:s3:::*/a',
  'arn:aws:s3:::f*s/?',
  'arn:aws:s3:::films/home/${aws:username}/*',
  'arn:aws:s3:::films/${aws:Referer}*',
  "arn:aws:s3:::films/${s3:ExistingObjectTag/class, 'a'}",
  'arn:aws:s3:::films/home/Al${*}ce/*',
  'arn:aws:s3:::films/[x]',
  'arn:*:s3:::films/*',
  'arn:aws:sns:us-east-1:000000000000:x',
];
/**
 * Action and resource of every request. None holds a `*`, which the other evaluator takes for a
 * pattern in a request, too.
 */
const ASKED = [
  ['s3:GetObject', 'arn:aws:s3:::films/a'],
  ['s3:GetObject', 'arn:aws:s3:::films/home/alice/b'],
  ['s3:GetObject', 'arn:aws:s3:::films/home/bob/b'],
  ['s3:PutObject', 'arn:aws:s3:::films/ab'],
  ['s3:PutObject', 'arn:aws:s3:::films/[x]'],
  ['s3:PutObjectTagging', 'arn:aws:s3:::films/A'],
  ['s3:DeleteObject', 'arn:aws:s3:::films/x:y'],
  ['s3:GetObjectTagging', 'arn:aws:s3:::other/a'],
  ['s3:ListBucket', 'arn:aws:s3:::films'],
  ['s3:ListBucket', 'arn:aws:s3:::other'],
];
/** Who asks: each has the policy. */
export const SIGNERS = ['alice', 'bob', 'ALICE'];
/** Keys that every request has. Those of the signer and the time follow from one another. */
const ALWAYS = ['aws:CurrentTime', 's3:signatureversion'];

function condition(dice) {
  const conditions = {};
  for (const key of dice.some(Object.keys(KEYS), 1, 2)) {
    const { operators, wanted, several } = KEYS[key];
    if (dice.chance(0.12)) {
      (conditions.Null ??= {})[key] = dice.pick(['true', 'false']);
      continue;
    }
    const set = several || dice.chance(0.08) ? dice.pick(['ForAnyValue:', 'ForAllValues:']) : '';
    const operator = set + dice.pick(operators) + (dice.chance(0.2) ? 'IfExists' : '');
    const values = dice.some(wanted, 1, 3);
    (conditions[operator] ??= {})[key] =
      values.length === 1 && dice.chance(0.5) ? values[0] : values;
  }
  return conditions;
}

function statement(dice) {
  const made = { Effect: dice.chance(0.3) ? 'Deny' : 'Allow' };
  made[dice.chance(0.15) ? 'NotAction' : 'Action'] = dice.some(ACTIONS, 1, 3);
  made[dice.chance(0.15) ? 'NotResource' : 'Resource'] = dice.some(RESOURCES, 1, 3);
  if (dice.chance(0.75)) made.Condition = condition(dice);
  return made;
}

/** One policy document. */
export function policy(dice) {
  const made = {};
  if (!dice.chance(0.04)) made.Version = dice.chance(0.96) ? '2012-10-17' : '2008-10-17';
  made.Statement = Array.from({ length: 1 + dice.below(3) }, () => statement(dice));
  // A statement that allows everything makes the denials count.
  if (dice.chance(0.3)) made.Statement.push({ Effect: 'Allow', Action: '*', Resource: '*' });
  return made;
}

/** One request: who wants what, and what it says of itself. */
export function request(dice) {
  const [action, resource] = dice.pick(ASKED);
  const signer = dice.pick(SIGNERS);
  const context = {
    'aws:username': signer,
    'aws:userid': signer,
    'aws:PrincipalArn': `arn:aws:iam::000000000000:user/${signer}`,
  };
  for (const [key, { values, several }] of Object.entries(KEYS)) {
    if (values === undefined || (!ALWAYS.includes(key) && dice.chance(0.45))) continue;
    context[key] = several ? dice.some(values, 1, 3) : dice.pick(values);
  }
  context['aws:EpochTime'] = String(Date.parse(context['aws:CurrentTime']) / 1000);
  // The keys of the tags that a request gives are the keys of those tags.
  if (context['s3:RequestObjectTag/class'] !== undefined) {
    context['s3:RequestObjectTagKeys'] = ['class', ...(context['s3:RequestObjectTagKeys'] ?? [])];
  }
  return { signer, action, resource, context };
}
