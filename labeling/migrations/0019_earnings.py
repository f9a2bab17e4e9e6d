"""What raters earn: rates as versions, periods that were settled, disputes; beside it questions
about cards, and who stands how on a board."""

import uuid
from datetime import UTC, datetime

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from models_runtime.append_only import AppendOnly

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # as labeling.rates: before every label


def keep_rates(apps, schema_editor):
    """The rate that a campaign has now held from its beginning, as its raters were told."""
    Campaign = apps.get_model("labeling", "Campaign")
    PayRate = apps.get_model("labeling", "PayRate")
    for row in Campaign.objects.exclude(pay_per=""):
        PayRate.objects.create(
            campaign=row,
            per=row.pay_per,
            amount=row.pay_amount,
            currency=row.pay_currency,
            from_at=BEGINNING,
        )


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0018_joining"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="shows_board",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="seat",
            name="active_ms_before",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="answered_before",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="answers_unread",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="clock_ms",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="granted_ms",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="seat",
            name="micros_before",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="PayRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "per",
                    models.CharField(
                        blank=True,
                        choices=[("label", "for each answer"), ("hour", "for each active hour")],
                        max_length=5,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=4, default=0, max_digits=10)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("from_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="pay_rates",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PayrollPeriod",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts", models.DateField()),
                ("ends", models.DateField()),
                ("zone", models.CharField(max_length=60)),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="payroll_periods",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PayrollLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("work", "work"),
                            ("correction", "correction"),
                            ("granted", "granted after a dispute"),
                        ],
                        max_length=10,
                    ),
                ),
                ("labels", models.IntegerField(default=0)),
                ("accepted", models.IntegerField(default=0)),
                ("active_ms", models.BigIntegerField(default=0)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("amount", models.DecimalField(decimal_places=4, default=0, max_digits=18)),
                (
                    "rate",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="labeling.payrate",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="payroll_lines",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "about",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="labeling.payrollperiod",
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="lines",
                        to="labeling.payrollperiod",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BoardPlace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "shown",
                    models.CharField(
                        choices=[
                            ("pseudonym", "under a pseudonym"),
                            ("name", "under my name"),
                            ("hidden", "not at all"),
                        ],
                        default="pseudonym",
                        max_length=10,
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="board_places",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="board_places",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "rater"), name="board_place_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="CardQuestion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("text", models.TextField(blank=True)),
                ("answer", models.TextField(blank=True)),
                ("told", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("answered_at", models.DateTimeField(null=True)),
                ("shared_at", models.DateTimeField(null=True)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "assignment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="card_questions",
                        to="labeling.assignment",
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="card_questions",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="labeling.guidelineversion",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="card_questions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=["campaign", "id"],
                        name="card_question_open",
                    ),
                    models.Index(
                        condition=models.Q(("shared_at__isnull", False)),
                        fields=["campaign", "-shared_at"],
                        name="card_question_shared",
                    ),
                    models.Index(
                        fields=["rater", "campaign"], name="labeling_ca_rater_i_9d16fd_idx"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PayDispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("starts", models.DateField()),
                ("ends", models.DateField()),
                ("text", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("upheld", "upheld"),
                            ("declined", "declined"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("answer", models.TextField(blank=True)),
                ("granted", models.DecimalField(decimal_places=4, default=0, max_digits=12)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("answered_at", models.DateTimeField(null=True)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pay_disputes",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pay_disputes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["campaign", "state", "id"], name="labeling_pa_campaig_f9d02a_idx"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("campaign", "rater", "starts", "ends"),
                        name="pay_dispute_open_once",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="payrate",
            constraint=models.UniqueConstraint(
                fields=("campaign", "from_at"), name="pay_rate_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="payrollperiod",
            constraint=models.UniqueConstraint(
                fields=("campaign", "starts"), name="payroll_period_once"
            ),
        ),
        AppendOnly("payrate"),
        AppendOnly("payrollperiod"),
        AppendOnly("payrollline"),
        migrations.RunPython(keep_rates, migrations.RunPython.noop),
    ]
