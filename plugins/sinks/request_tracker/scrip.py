"""What RT's administrator runs: commands and the scrip, with this connection's values filled in."""

from __future__ import annotations

RIGHTS = (
    "SeeQueue",
    "CreateTicket",
    "ShowTicket",
    "ShowTicketComments",
    "ReplyToTicket",
    "CommentOnTicket",
    "ModifyTicket",
    "SeeCustomField",
    "ModifyCustomField",
    "SetInitialCustomField",
)
"""On every queue where tickets of the hub may come to lie."""

_PERL = "perl -I/opt/rt5/lib -I/usr/share/request-tracker5/lib -e"

# TransactionBatch runs after RT committed; a scrip of the usual stage would tell the hub of what nobody can read yet.
_SCRIP = r"""
@Scrips = ({
    Description     => 'Social Care Hub: @CONNECTION@',
    Queue           => 0,
    Stage           => 'TransactionBatch',
    ScripCondition  => 'User Defined',
    ScripAction     => 'User Defined',
    Template        => 'Blank',
    CustomIsApplicableCode => q{
        return 0 unless $self->TicketObj->__Value('Creator') == @USER@;
        return 1 if grep { $_->Creator != @USER@ } @{ $self->TicketObj->TransactionBatch };
        return 0;
    },
    CustomPrepareCode => 'return 1;',
    CustomCommitCode  => q{
        eval {
            require LWP::UserAgent; require Digest::SHA; require JSON;
            my $secret = RT->Config->Get('SocialCareHubSecret') or die "SocialCareHubSecret is not set\n";
            my ($newest) = sort { $b <=> $a } map { $_->id } @{ $self->TicketObj->TransactionBatch };
            my $body = JSON::encode_json({
                event => 'ticket', ticket => $self->TicketObj->__Value('id') + 0, transaction => $newest + 0,
            });
            my $now = time;
            my $answer = LWP::UserAgent->new(timeout => 3, max_redirect => 0)->post(
                '@URL@',
                'Content-Type'    => 'application/json',
                'X-Hub-Timestamp' => $now,
                'X-Hub-Signature' => 'sha256=' . Digest::SHA::hmac_sha256_hex("$now.$body", $secret),
                Content           => $body,
            );
            die $answer->status_line . "\n" unless $answer->is_success;
        };
        RT->Logger->warning("Social Care Hub was not told: $@") if $@;
        return 1;
    },
});
1;
"""


def bind_command(field: str, queue: str) -> str:
    """How to put an existing custom field on a queue; REST 2 cannot."""
    return (
        f"In RT: Admin, Custom Fields, {field}, Applies to: {queue}. Or on its server: {_PERL} 'use RT -init; "
        "my ($f, $q) = (RT::CustomField->new(RT->SystemUser), RT::Queue->new(RT->SystemUser)); "
        f"$f->LoadByName(Name => q({field}), LookupType => q(RT::Queue-RT::Ticket), IncludeDisabled => 0); "
        f"$q->Load(q({queue})); print +($f->AddToObject($q))[1]'"
    )


def rights_command(user_id: str, queue: str) -> str:
    """How to give our account its rights."""
    return (
        f"Our account (RT user {user_id}) must be privileged and needs, on {queue} and on every queue its tickets may "
        f"be moved to: {', '.join(RIGHTS)}. On RT's server: {_PERL} 'use RT -init; "
        "my ($u, $q) = (RT::User->new(RT->SystemUser), RT::Queue->new(RT->SystemUser)); "
        f"$u->Load({user_id}); $q->Load(q({queue})); "
        f"print +($u->PrincipalObj->GrantRight(Right => $_, Object => $q))[1], qq(\\n) for qw({' '.join(RIGHTS)})'"
    )


def scrip_instructions(user_id: str, connection: str, webhook_url: str) -> str:
    """How to add the scrip: a secret in RT's configuration, a data file, one command."""
    scrip = _SCRIP.replace("@USER@", user_id).replace("@CONNECTION@", connection).replace("@URL@", webhook_url)
    return (
        "Optional: answers then reach the hub at once, not at the next poll.\n"
        "1. In RT_SiteConfig.pm: Set($SocialCareHubSecret, 'the value of webhook_secrets'); and restart RT.\n"
        "2. Save this as hub-scrip.pl:\n"
        f"{scrip}"
        "3. rt-setup-database --action insert --skip-create --datafile hub-scrip.pl   "
        "(Debian: rt-setup-database-5)\n"
        "RT needs LWP::Protocol::https when the address is https."
    )
