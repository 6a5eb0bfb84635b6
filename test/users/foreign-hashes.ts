/** Hashes that other programs made. How each was made: foreign-hashes.md. */
export interface ForeignHash {
  readonly origin: string;
  readonly version: string;
  readonly scheme: 'bcrypt' | 'bcrypt_sha256 v1' | 'bcrypt_sha256 v2';
  /** Bytes where it is not UTF-8. */
  readonly password: string | Uint8Array;
  readonly hash: string;
  /** A near miss, which the hash must refuse. */
  readonly wrong: string | Uint8Array;
}

const phrase = 'correct horse battery staple';
const accents = 'Grüße an die Façade';
const emoji = '🔑🐎🔋 👩‍🚀 hunter2';
const spaces = ' spaces  before, within and after ';

export const foreignHashes: readonly ForeignHash[] = [
  ...made('passlib', '1.7.4', 'bcrypt', [
    [phrase, '$2b$04$376BfFQr8Z2lSOokwRaxauUMQ6B/Pq1r/FFjwtGWVVZrdB36.X.9u', 'correct horse battery stapler'],
    [phrase, '$2b$10$EwZNl9dai9ao/r1JTwBkUOawfwPE27oRW6XxzPM7sHVqPdsJIfJGK', 'correct horse battery stapler'],
    [phrase, '$2b$12$BHzYC8Nq8d/eMtDfzrwqYOD9tQYdsAxgdQPW62.8X17tMXY9A2t2i', 'correct horse battery stapler'],
    ['Tr0ub4dor&3', '$2a$04$k/ElgwwiWQ8l6irl8cmkZeXKV.CB4bwep8v5uxrjem5HesIXXWowm', 'tr0ub4dor&3'],
    ['Tr0ub4dor&3', '$2y$04$ytaTSaKCeiudsASpvTTWw.ueTKJ8TjSNDzrYtAzBnsDhb9ZtmbyFq', 'tr0ub4dor&3'],
    ['', '$2b$04$sutQGQA1HM3emSARdY9cneh6Scaea09RiwJTse9dBrBpqXzbfEaMO', ' '],
    [spaces, '$2b$04$GhyKahQUbWj3zF5TOZUoee9YBcjA6w8DgfYU.2wi0RBvtOqLhA7C.', spaces.trim()],
    [accents, '$2b$04$.TWhEMdgfCrL6Ci2G2ySFOgoqVwcgv77zSyt7CmSBYtdNngHfiJi.', 'Grusse an die Facade'],
    [
      'пароль 密码 パスワード',
      '$2b$04$CKB9KNEJFWnGytxx9L9K2O9ih1dF4rMOITRsyR1TZ2o3dTN7pYPBa',
      'ПАРОЛЬ 密码 パスワード',
    ],
    [emoji, '$2b$04$B03m35OMAIZJXguUBJGUmOFMFhLLXcGqj5sHUiKQN24.RcZYETArK', '🔑🐎🔋 👩 hunter2'],
    [long(71), '$2b$04$4L5tbP3Vx1jHrgZ2d4jQHulsPSNT6KfBsvJLo.Etp8G6r29Tllz0K', long(70)],
    [long(72), '$2b$04$Xl8P5dM8FKDRuTRyasPVZuofZxf2WnwdZl9FU9i9Rnz8k2WuxMvY6', `${long(71)}9`],
    ['🔑'.repeat(18), '$2b$04$GaI.eGWZEe4wtSAMlZh0yu.WfT5KRDKRX4hbvsYCiaGGXLWuQu3AG', '🔑'.repeat(17)],
    [
      Buffer.from('ffa3333435', 'hex'),
      '$2b$04$qZh./OWUYj9dJUSmjh3SAumVD4BB7jpHrm0J58NJ60LH05ZC2eu7i',
      Buffer.from('ffa333', 'hex'),
    ],
    [
      Buffer.from('636166e9206e6f6972', 'hex'),
      '$2a$04$VnxplPbymcQfLSwlaf5bv.HCL24H3FhdGEz7t018YrHBFeLYlkd5u',
      'café noir',
    ],
  ]),
  ...made('passlib', '1.7.4', 'bcrypt_sha256 v2', [
    [
      phrase,
      '$bcrypt-sha256$v=2,t=2b,r=4$39lV96K8hn2.C70QvJ0gse$gnwpUk21xD7ItUy.ZYiiSgFeg4SS6za',
      'correct horse battery stapler',
    ],
    [
      phrase,
      '$bcrypt-sha256$v=2,t=2b,r=10$ntmyK4O31TkS6zTMFhdq4u$kFSdnSrzWQnOVRvbtvIrxLgPg84b0Jm',
      'correct horse battery stapler',
    ],
    ['', '$bcrypt-sha256$v=2,t=2b,r=4$AwZ3UY2PNtBKFVmqGhCsN.$SsSes3Hya6Yj9zXlwVA.yqSHBfY7gh.', ' '],
    [
      accents,
      '$bcrypt-sha256$v=2,t=2b,r=4$JqKCIQ4S3Uq72j3VP8UTR.$ydNFcEs7a1DoeX8c4Ii4JTHqNSVRstC',
      'Grusse an die Facade',
    ],
    [
      emoji,
      '$bcrypt-sha256$v=2,t=2b,r=4$imFwshPhq8hJyLeDlPMuD.$iKbRAt4E.PohpFtJDgchxSddPdSUB0K',
      '🔑🐎🔋 👩 hunter2',
    ],
    [
      long(72),
      '$bcrypt-sha256$v=2,t=2b,r=4$QeQ7p8pb4A9buQJMSanQku$HRUB3pEfnEJoxlVzkDYMyS5y/bJIbyO',
      `${long(71)}9`,
    ],
    [
      long(73),
      '$bcrypt-sha256$v=2,t=2b,r=4$Ojgd2uZnzdJY.akGz3mNOe$ZXSabMaiHPuTkL39Tlne.D/Skj/2sM2',
      long(72),
    ],
    [
      long(255),
      '$bcrypt-sha256$v=2,t=2b,r=4$2kKlWsGN0Y1xJjocfXW7yO$r7FcHZw99hs1LCDHTnVNkqvE/n5.ODe',
      long(254),
    ],
    [
      long(256),
      '$bcrypt-sha256$v=2,t=2b,r=4$/R03CDMZqM8Xq0YBHLY9QO$q5drsYQcDmjJaZiMXkVaDbAywpthQNS',
      long(255),
    ],
    [
      long(257),
      '$bcrypt-sha256$v=2,t=2b,r=4$XhgCK5gfHLfccMf8UbIzEe$nfuVdw39dIBtBuNmbL5zKEvodhwo1Tu',
      long(256),
    ],
    [
      '🔑'.repeat(256),
      '$bcrypt-sha256$v=2,t=2b,r=4$vvsDJhlCQUis9FBqXL9k0e$8fpmwL35XTD1jKv1DZyMjEBVHZfsphe',
      '🔑'.repeat(255),
    ],
    [
      'before\0after',
      '$bcrypt-sha256$v=2,t=2b,r=4$MXixroAUOerX0Ngm9DaoRu$BoKTYiNxHA9Rqr1HHW1xc0gsNLgujem',
      'before',
    ],
  ]),
  ...made('passlib', '1.7.4', 'bcrypt_sha256 v1', [
    [
      phrase,
      '$bcrypt-sha256$2b,4$2gVg4.u52qc8Aeu5HMkkZe$RFIACiiX95xJv5zyI7LAbAonJoisZNG',
      'correct horse battery stapler',
    ],
    [long(73), '$bcrypt-sha256$2a,4$nNjBIJ3RrCLbWHwsdB85ae$.DeMULin8ZuVY7.QqtqF1NERnU3l5Ai', long(72)],
  ]),
  ...made('PHP', '8.2.36', 'bcrypt', [
    [phrase, '$2y$04$5gv90iwTpLCMWs2/YmdpJOgRLYNPytscFvvJfWrsYw/cnxFcn/fjK', 'correct horse battery stapler'],
    [accents, '$2y$10$5jV3fX4HfPzzWgX6Nx.3F.pEGFFwzZ228WWyIHMUUi7xIL3hMgmwy', 'Grusse an die Facade'],
    [long(72), '$2y$04$EAWfl0Sa1I0cVtuQPERq8enaHqSW9dJiv/HdhQk85kiXt4vo/27Nm', `${long(71)}9`],
  ]),
  ...made('Go x/crypto', '0.4.0', 'bcrypt', [
    [phrase, '$2a$04$G3c0ENhbrYcXbHTuIU7p6.Wb8eHcl11IGSaISgltJ9o0mafaS.HRa', 'correct horse battery stapler'],
    [emoji, '$2a$10$iHo/I8Pld7bxBaHcwVATNuOp0oeEd3YDp5xcEL6AzPQhXydpuYjjy', '🔑🐎🔋 👩 hunter2'],
    [long(72), '$2a$04$uKAeX.w75ffI.UvAOgWzmOGRgXlsOEtIewsIM1LINenFsbmU4tIv.', `${long(71)}9`],
  ]),
  ...made('htpasswd', '2.4.71', 'bcrypt', [
    [phrase, '$2y$04$8r/RDxA3nB4RutQi0R/BUuGWFaFvpmPkD8.AMVb0/UM/9dh4OfMU2', 'correct horse battery stapler'],
    [spaces, '$2y$10$jObsJuok.OtS6L9gTtV9KO1uzpag5xLbew20RPeuvh3g.9jcU6C36', spaces.trim()],
  ]),
];

/** Of passwords that bcrypt did not see the end of: the hash is that of the first 72 bytes. */
export const truncatedHashes: readonly ForeignHash[] = [
  ...made('passlib', '1.7.4', 'bcrypt', [
    [long(73), '$2b$04$ahAITNrtO4oeCrtvS6C86urQSy4VEEFPXyfD1vi2xugCh7pEMWK5e', long(71)],
  ]),
  ...made('PHP', '8.2.36', 'bcrypt', [
    [long(73), '$2y$04$uP/vBjhnSFWmXs5KDsqXGOYoJHuUmYzx7.Dc3ThYD67X6saDKeinW', long(71)],
  ]),
];

type Row = readonly [password: string | Uint8Array, hash: string, wrong: string | Uint8Array];

function made(origin: string, version: string, scheme: ForeignHash['scheme'], rows: Row[]): ForeignHash[] {
  return rows.map(([password, hash, wrong]) => ({ origin, version, scheme, password, hash, wrong }));
}

/** As many bytes of ASCII without a short period. */
function long(length: number): string {
  return 'abcdefghijklmnopqrstuvwxyz0123456789-'.repeat(30).slice(0, length);
}
