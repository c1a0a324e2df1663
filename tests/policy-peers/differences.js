// Where the two are known to differ. Each has the sentence of AWS's documentation that decides it,
// and a test for the decisions that it may explain: one that differs and that none of them explains
// fails the comparison.

const GUIDE = 'https://docs.aws.amazon.com/IAM/latest/UserGuide';

/** Every condition of a policy: `{ operator, key, values }`. */
const conditions = (policy) =>
  policy.Statement.flatMap(({ Condition = {} }) =>
    Object.entries(Condition).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => ({ operator, key, values: [values].flat() })),
    ),
  );

/** The variables of a text that have no value in a request, and no default. */
const missing = (text, { context }) =>
  [...text.matchAll(/\$\{([^}*?$]+)\}/g)].some(([, name]) => !name.includes(',') && !context[name]);

const isOld = (policy) => policy.Version !== '2012-10-17';
const isNegated = (operator) => operator.includes('Not');
const isSeconds = (text) => /^\d+$/.test(text);

export const DIFFERENCES = [
  {
    name: 'variables in a document of the old version',
    postern: 'takes `${…}` as text',
    says: 'Otherwise, you cannot use features such as policy variables that were introduced with this version.',
    source: `${GUIDE}/reference_policies_elements_version.html`,
    applies: (policy) => isOld(policy) && JSON.stringify(policy).includes('${'),
  },
  {
    name: 'a variable without a value, negated',
    postern: 'lets it fit nothing, so that a negated operator holds and NotResource applies',
    says: 'If the policy condition requires that the key is not matched, such as StringNotLike or ArnNotLike, and the right key is not present, the condition is true.',
    source: `${GUIDE}/reference_policies_elements_condition_operators.html`,
    applies: (policy, request) =>
      conditions(policy).some(
        ({ operator, values }) =>
          isNegated(operator) && values.some((text) => missing(text, request)),
      ) ||
      policy.Statement.some(({ NotResource = [] }) =>
        [NotResource].flat().some((text) => missing(text, request)),
      ),
  },
  {
    name: 'a date beside seconds since 1970',
    postern: 'compares both as instants',
    says: 'You must specify date/time values with one of the W3C implementations of the ISO 8601 date formats or in epoch (UNIX) time.',
    source: `${GUIDE}/reference_policies_elements_condition_operators.html#Conditions_Date`,
    applies: (policy, request) =>
      conditions(policy).some(
        ({ operator, key, values }) =>
          operator.includes('Date') &&
          values.some((value) => isSeconds(value) !== isSeconds(request.context[key] ?? '')),
      ),
  },
  {
    name: 'a range of all addresses',
    postern: 'takes `0.0.0.0/0` and `::/0` for every address of their kind',
    says: 'The value must be in the standard CIDR format (for example, 203.0.113.0/24 or 2001:DB8:1234:5678::/64).',
    source: `${GUIDE}/reference_policies_elements_condition_operators.html#Conditions_IPAddress`,
    applies: (policy) =>
      conditions(policy).some(({ values }) => values.some((value) => value.endsWith('/0'))),
  },
  {
    name: 'an address of the other kind, negated',
    postern: 'says of an IPv6 address that it is not the IPv4 address, and the other way round',
    says: 'NotIpAddress: All IP addresses except the specified IP address or range',
    source: `${GUIDE}/reference_policies_elements_condition_operators.html#Conditions_IPAddress`,
    applies: (policy, request) =>
      conditions(policy).some(
        ({ operator, key, values }) =>
          operator.includes('NotIpAddress') &&
          values.some(
            (value) =>
              !value.includes('/') &&
              value.includes(':') !== (request.context[key] ?? '').includes(':'),
          ),
      ),
  },
  {
    name: '`${*}` after an operator for exact texts',
    postern: 'takes it for a `*`',
    says: 'These predefined policy variables can be used in any string where you can use regular policy variables.',
    source: `${GUIDE}/reference_policies_variables.html#policy-vars-specialchars`,
    applies: (policy) =>
      conditions(policy).some(
        ({ operator, values }) =>
          /String(Not)?Equals/.test(operator) && values.some((value) => value.includes('${*}')),
      ),
  },
];
