# What an administrator of Request Tracker makes once: a queue, a group that works in it, an agent, the hub's account.
@Groups = ({ Name => 'Care', Description => 'Customer care' });
@Queues = ({ Name => 'Social', Description => 'What customers write on social networks', CorrespondAddress => 'social@peers.test', CommentAddress => 'social-comment@peers.test' });
@Users = (
    { Name => 'anna', RealName => 'Anna Agent', EmailAddress => 'anna@peers.test', Password => 'annapass123', Privileged => 1 },
    { Name => 'hub', RealName => 'Social Care Hub', EmailAddress => 'hub@peers.test', Password => 'hubpass123', Privileged => 1 },
);
@ACL = (
    map( { { GroupDomain => 'UserDefined', GroupType => 'Care', GroupId => 'Care', Queue => 'Social', Right => $_ } }
        qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket ModifyTicket OwnTicket TakeTicket StealTicket
           DeleteTicket SeeCustomField ModifyCustomField ShowOutgoingEmail WatchAsAdminCc) ),
    { UserId => 'hub', Right => 'SuperUser' },
);
@Final = (
    sub {
        my $group = RT::Group->new(RT->SystemUser);
        $group->LoadUserDefinedGroup('Care');
        for my $name (qw(anna)) {
            my $user = RT::User->new(RT->SystemUser);
            $user->Load($name);
            $group->AddMember($user->PrincipalId);
        }
        my $hub = RT::User->new(RT->SystemUser);
        $hub->Load('hub');
        # She is told of what comes in: so that there is mail to count.
        my $queue = RT::Queue->new(RT->SystemUser);
        $queue->Load('Social');
        $queue->AddWatcher(Type => 'AdminCc', PrincipalId => $group->PrincipalId);
        my ($ok, $message, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $hub->id, Description => 'hub');
        open my $out, '>', "$RT::VarPath/hub-token" or die $!;
        print $out $token;
    },
);
1;
