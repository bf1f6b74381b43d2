"""What RT's administrator runs: commands and the scrip, with this connection's values filled in."""

from __future__ import annotations

from collections.abc import Iterable

from hub.sdk import Words
from plugins.sinks.request_tracker.settings import RequestTrackerSettings

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

_WHO_GETS_TICKETS = Words(
    en="Because assign is agent: ReassignTicket there, to pass on a ticket that has an owner; SeeGroup for all of RT, "
    "to see who is AdminCc of a queue through a group; and the role AdminCc of each queue needs OwnTicket there: RT "
    "tells us nobody's rights, so the hub gives tickets to those who are AdminCc.",
    it="Poiché assign è agent: lì anche ReassignTicket, per passare ad altri un ticket che ha già un proprietario; "
    "SeeGroup per tutto RT, per vedere chi è AdminCc di una coda tramite un gruppo; e al ruolo AdminCc di ogni coda "
    "serve OwnTicket: RT non ci dice i diritti di nessuno, quindi l'hub assegna i ticket a chi è AdminCc.",
)
_WHAT_A_LIST_OFFERS = Words(
    en="Because category_field is set: SeeCustomField for all of RT, to see which categories the list offers.",
    it="Poiché category_field è impostato: SeeCustomField per tutto RT, per vedere quali categorie offre l'elenco.",
)

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


def bind_command(field: str, queue: str) -> Words:
    """How to put an existing custom field on a queue; REST 2 cannot."""
    command = (
        f"{_PERL} 'use RT -init; "
        "my ($f, $q) = (RT::CustomField->new(RT->SystemUser), RT::Queue->new(RT->SystemUser)); "
        f"$f->LoadByName(Name => q({field}), LookupType => q(RT::Queue-RT::Ticket), IncludeDisabled => 0); "
        f"$q->Load(q({queue})); print +($f->AddToObject($q))[1]'"
    )
    return Words(
        en="The field exists, but not on this queue, or our account lacks SeeCustomField there. In RT: Admin, Custom "
        f"Fields, {field}, Applies to: {queue}. Or on its server: {command}",
        it="Il campo esiste, ma non su questa coda, oppure il nostro account non vi ha SeeCustomField. In RT: "
        f"Amministrazione, Campi personalizzati, {field}, Si applica a: {queue}. Oppure sul suo server: {command}",
    )


def rights_command(settings: RequestTrackerSettings, queues: Iterable[str]) -> Words:
    """How to give our account its rights, and what those are for that not every connection needs."""
    names, user_id, why = list(queues), settings.user_id, []
    rights, everywhere = list(RIGHTS), []
    of_role = ""
    if settings.assign == "agent":
        rights.append("ReassignTicket")
        everywhere.append("SeeGroup")
        of_role = f"; {_grant('$q->RoleGroup(q(AdminCc))', ['OwnTicket'], '$q')}"
        why.append(_WHO_GETS_TICKETS)
    if settings.category_field:
        everywhere.append("SeeCustomField")
        why.append(_WHAT_A_LIST_OFFERS)
    command = (
        f"{_PERL} 'use RT -init; my $u = RT::User->new(RT->SystemUser); $u->Load({user_id}); "
        f"for my $name ({', '.join(f'q({name})' for name in names)}) {{ my $q = RT::Queue->new(RT->SystemUser); "
        f"$q->Load($name); {_grant('$u', rights, '$q')}{of_role} }} {_grant('$u', everywhere, 'RT->System')}'"
    )
    on, some = ", ".join(names), ", ".join(rights)
    en, it = ("".join(f"{one.in_language(language)} " for one in why) for language in ("en", "it"))
    return Words(
        en=f"Our account (RT user {user_id}) must be privileged and needs, on {on} and on every queue its tickets may "
        f"be moved to: {some}. {en}On RT's server: {command}",
        it=f"Il nostro account (utente RT {user_id}) deve essere privilegiato e gli servono, su {on} e su ogni coda in "
        f"cui i suoi ticket possono essere spostati: {some}. {it}Sul server di RT: {command}",
    )


def _grant(to: str, rights: Iterable[str], on: str) -> str:
    given = f"print +({to}->PrincipalObj->GrantRight(Right => $_, Object => {on}))[1], qq(\\n)"
    return f"{given} for qw({' '.join(rights)})"


def scrip_instructions(user_id: str, connection: str, webhook_url: str) -> Words:
    """How to add the scrip: a secret in RT's configuration, a data file, one command."""
    scrip = _SCRIP.replace("@USER@", user_id).replace("@CONNECTION@", connection).replace("@URL@", webhook_url)
    command = "3. rt-setup-database --action insert --skip-create --datafile hub-scrip.pl   "
    return Words(
        en="Optional: answers then reach the hub at once, not at the next poll.\n"
        "1. In RT_SiteConfig.pm: Set($SocialCareHubSecret, 'the value of webhook_secrets'); and restart RT.\n"
        f"2. Save this as hub-scrip.pl:\n{scrip}{command}(Debian: rt-setup-database-5)\n"
        "RT needs LWP::Protocol::https when the address is https.",
        it="Facoltativo: così le risposte arrivano subito all'hub, non alla prossima lettura.\n"
        "1. In RT_SiteConfig.pm: Set($SocialCareHubSecret, 'il valore di webhook_secrets'); poi riavviare RT.\n"
        f"2. Salvare questo come hub-scrip.pl:\n{scrip}{command}(Debian: rt-setup-database-5)\n"
        "A RT serve LWP::Protocol::https se l'indirizzo è https.",
    )
